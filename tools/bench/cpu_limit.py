"""Limits a process to a share of a core, as Lambda does by memory size."""

import contextlib
import functools
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

FULL_CORE_MB = 1769
"""A function of this memory size gets one core
(https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html)."""

_CGROUP = Path("/sys/fs/cgroup/cpu")


def unavailable() -> str | None:
    """Why CPU cannot be limited on this machine; None if it can."""
    if not os.access(_CGROUP, os.W_OK) or not (_CGROUP / "cpu.cfs_quota_us").exists():
        return "no writable cpu control group on this machine"
    return None


@contextlib.contextmanager
def limited(cpus: float) -> Iterator[Callable[[], None]]:
    """Yields what a new process calls to get no more than this share of a core; 0 is no limit."""
    if not cpus:
        yield lambda: None
        return
    group = _CGROUP / f"strands-langfuse-lambda-bench-{os.getpid()}"
    group.mkdir()
    try:
        (group / "cpu.cfs_period_us").write_text("20000")
        (group / "cpu.cfs_quota_us").write_text(str(round(20000 * cpus)))
        yield functools.partial(_join, group)
    finally:
        for _ in range(100):
            with contextlib.suppress(OSError):
                group.rmdir()
                break
            time.sleep(0.05)


def _join(group: Path) -> None:
    (group / "cgroup.procs").write_text("0")
