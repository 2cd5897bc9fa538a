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
    """The memory in an environment's last sample over that in its first: the median of all environments.

    An environment that ends is replaced, so each counts with the samples that it has, two at least. Without
    such an environment the growth is infinite: none of them worked for long.
    """
    of_each: dict[int, list[float]] = {}
    for figures in samples:
        for pid, one in figures.items():
            of_each.setdefault(pid, []).append(one.resident_mb)
    ratios = [taken[-1] / taken[0] for taken in of_each.values() if len(taken) > 1]
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
