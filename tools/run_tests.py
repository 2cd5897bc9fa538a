"""Builds the layers, and runs the tests that need no AWS account.

All other arguments are passed to pytest; `hatch run test:pytest --help` lists them.
"""

import argparse
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from tools.command import described, run

ROOT = Path(__file__).parents[1]
_PROCESSES = 3
"""More than two cores, because tests often wait."""

Run = Callable[[Sequence[str]], int]


def _run(command: Sequence[str]) -> int:
    return subprocess.run(command, check=False).returncode


def main(arguments: Sequence[str] | None = None, execute: Run = _run) -> int:
    """Run the tests; returns pytest's exit code, or the build's if it failed."""
    parser = argparse.ArgumentParser(
        **described("test", __doc__ or "", "hatch run test tests/unit -k deploy")
    )
    _, others = parser.parse_known_args(arguments)
    # The order of the files is kept, because the slow ones come first.
    pytest = ["-n", str(_PROCESSES), "--dist", "loadfile", "--no-loadscope-reorder"]
    return execute([sys.executable, "-m", "tools.build_layers", "build"]) or execute(
        [sys.executable, "-m", "hatch", "run", "test:pytest", *pytest, *(others or [str(ROOT / "tests")])]
    )


if __name__ == "__main__":
    run(main)
