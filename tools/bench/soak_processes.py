"""What the processes of the execution environments hold."""

import contextlib
import re
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.local.runtime import processes


@dataclass(frozen=True)
class ProcessFigures:
    """What one environment holds, its descendants included."""

    resident_mb: float
    threads: int
    open_files: int


def sample(pids: Iterable[int]) -> dict[int, ProcessFigures]:
    """The figures of each environment, by the process id of its first process."""
    return {
        pid: ProcessFigures(
            processes.resident_mb(pid),
            sum(map(_threads, processes.family(pid))),
            sum(map(_open_files, processes.family(pid))),
        )
        for pid in pids
    }


def growth(samples: Sequence[Mapping[int, ProcessFigures]]) -> float:
    """The memory in the last sample over that in the first, of the environments in both.

    Without an environment in both it is infinite: all of them have ended.
    """
    first, last = samples[0], samples[-1]
    ratios = [last[pid].resident_mb / first[pid].resident_mb for pid in first.keys() & last.keys()]
    return statistics.median(ratios) if ratios else float("inf")


def _threads(pid: int) -> int:
    with contextlib.suppress(OSError):
        found = re.search(r"Threads:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
        return int(found[1]) if found else 0
    return 0


def _open_files(pid: int) -> int:
    with contextlib.suppress(OSError):
        return len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return 0
