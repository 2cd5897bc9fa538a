"""Builds the layers, and runs the tests that need no AWS account.

All other arguments are passed to pytest; `hatch run test:pytest --help` lists them.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from tools.command import described, run

ROOT = Path(__file__).parents[1]
_MAX_PROCESSES = 8
"""More would wait for the longest files."""

Run = Callable[[Sequence[str]], int]


def _run(command: Sequence[str]) -> int:
    return subprocess.run(command, check=False).returncode


def main(arguments: Sequence[str] | None = None, execute: Run = _run) -> int:
    """Run the tests; returns pytest's exit code, or the build's if it failed."""
    parser = argparse.ArgumentParser(
        **described("test", __doc__ or "", "hatch run test tests/unit -k deploy")
    )
    _, others = parser.parse_known_args(arguments)
    # The order of the files is kept, because the slow ones, in tests/e2e, come first.
    pytest = ["-n", str(processes(os.cpu_count() or 1)), "--dist", "loadfile", "--no-loadscope-reorder"]
    return execute([sys.executable, "-m", "tools.build_layers", "build"]) or execute(
        [sys.executable, "-m", "hatch", "run", "test:pytest", *pytest, *(others or [str(ROOT / "tests")])]
    )


def processes(cores: int) -> int:
    """The number of processes: one more than the machine has cores, because tests often wait."""
    return min(cores + 1, _MAX_PROCESSES)


if __name__ == "__main__":
    run(main)
