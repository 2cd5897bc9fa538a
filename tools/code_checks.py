"""The commands that check and format the code: `hatch run check`, `hatch run lint` and `hatch run format`."""

import argparse
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.command import ERR, PLAIN, described, run

ROOT = Path(__file__).parents[1]
_MODULE = (sys.executable, "-m")

Command = Sequence[str]
Execute = Callable[[Command], int]


@dataclass(frozen=True)
class Steps:
    """One of the commands: its steps, of which each runs only if those before it succeeded."""

    description: str
    example: str
    steps: Sequence[Command]
    takes_arguments: Sequence[Command] = ()
    """Further steps, which get the arguments of the command."""


_LINT = (
    ("ruff", "format", "--check", "."),
    ("ruff", "check", "."),
    ("mypy",),
    ("lint-imports",),
)

COMMANDS: Mapping[str, Steps] = {
    "lint": Steps(
        "Checks the format, style and types of the code, and its import contracts. Changes nothing.",
        "hatch run lint",
        _LINT,
    ),
    "format": Steps(
        "Formats the code, and corrects what ruff can correct. Arguments are passed to ruff.",
        "hatch run format packages/handler",
        (),
        (("ruff", "format"), ("ruff", "check", "--fix-only")),
    ),
    "check": Steps(
        "Runs `hatch run lint`, the check of the locks and `hatch run test`, as CI does.\n\n"
        "Arguments are passed to pytest.",
        "hatch run check",
        (*_LINT, (*_MODULE, "tools.build_layers", "lock", "--check")),
        ((*_MODULE, "tools.run_tests"),),
    ),
}


def _execute(command: Command) -> int:
    return subprocess.run(command, check=False, cwd=ROOT).returncode


def main(arguments: Sequence[str] | None = None, execute: Execute = _execute) -> int:
    """Run the steps of a command; returns the exit code of the step that failed, or 0."""
    name, *rest = sys.argv[1:] if arguments is None else arguments
    command = COMMANDS[name]
    parser = argparse.ArgumentParser(**described(name, command.description, command.example))
    if command.takes_arguments:
        _, rest = parser.parse_known_args(rest)
    else:
        parser.parse_args(rest)
    for step in (*command.steps, *((*step, *rest) for step in command.takes_arguments)):
        ERR.print("$", *(word.replace(sys.executable, "python") for word in step), **PLAIN)
        if code := execute(step):
            return code
    return 0


if __name__ == "__main__":
    run(main)
