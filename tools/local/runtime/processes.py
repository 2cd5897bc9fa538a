"""A process and its descendants, on Linux: stopped, continued, measured and ended together."""

import contextlib
import os
import re
import signal
import time
from pathlib import Path

PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096

_EXITING = 0x4
"""PF_EXITING, among the flags of /proc/<pid>/stat."""

_KILLED = 1 << (9 - 1)
"""SIGKILL, in the masks of /proc/<pid>/status."""


def family(pid: int) -> list[int]:
    """The process and its descendants, each before its own children."""
    found = [pid]
    for member in found:
        try:
            for task in Path(f"/proc/{member}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
        except OSError:  # it ended while we looked
            continue
    return found


def freeze(pid: int) -> None:
    """Stop them all, including those that were started meanwhile."""
    stopped: set[int] = set()
    while fresh := set(family(pid)) - stopped:
        for member in fresh:
            _signal(member, signal.SIGSTOP)
        stopped |= fresh


def thaw(pid: int) -> None:
    """Continue them all."""
    for member in reversed(family(pid)):
        _signal(member, signal.SIGCONT)


def end(pid: int) -> None:
    """End them all, at once."""
    for member in family(pid):
        _signal(member, signal.SIGKILL)


def end_group(pid: int) -> None:
    """End what is left of the group that this process led: orphans are no longer of its family."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def resident_mb(pid: int) -> float:
    """The memory that they hold, in MB."""
    return sum(map(_resident, family(pid))) * PAGE / 1024 / 1024


def peak_mb(pid: int) -> float:
    """The most memory that each of them ever held, summed up, in MB."""
    return sum(map(_high_water_kb, family(pid))) / 1024


def cpu_s(pid: int) -> float:
    """The CPU time that they have had so far, in seconds; of processes that still live."""
    return sum(map(_cpu_s, family(pid)))


def _cpu_s(pid: int) -> float:
    clock = (
        ~pid << 3
    ) | 2  # as clock_getcpuclockid(3) makes it: ended threads count, /proc would round to 10 ms
    try:
        return time.clock_gettime(clock)
    except OSError:  # it ended while we looked
        return 0


def dying(pid: int) -> bool:
    """Whether one of them is about to end, or has: killed, though the kernel may not have got to it yet."""
    return any(map(_is_dying, family(pid)))


def _is_dying(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        flags = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[6])
    except (OSError, IndexError):
        return True
    pending = (int(mask, 16) for mask in re.findall(r"(?:SigPnd|ShdPnd):\s+(\w+)", status))
    return bool(flags & _EXITING) or any(mask & _KILLED for mask in pending)


def _high_water_kb(pid: int) -> int:
    try:
        found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0
    return int(found[1]) if found else 0


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
