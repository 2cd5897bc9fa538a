"""Runs a program of the environment, or says that there is no such command: `hatch run NAME`."""

import difflib
import os
import shutil
import sys
from collections.abc import Sequence

from tools.command import Failure, run
from tools.help import GROUPS


def main(arguments: Sequence[str] | None = None) -> int:
    """Replace this process by the program if the environment has it.

    Raises:
        Failure: It has none. The message names similar commands.
    """
    name, *rest = sys.argv[1:] if arguments is None else arguments
    if program := shutil.which(name):
        os.execv(program, [name, *rest])  # noqa: S606 - the program that the user named
    raise Failure(f"hatch run {name}: no such command. {suggestion(name)}")


def suggestion(name: str) -> str:
    """What to run instead of this name."""
    commands = [command for group in GROUPS.values() for command in group]
    similar = difflib.get_close_matches(name, commands, n=2, cutoff=0.55)
    found = f"Did you mean {' or '.join(similar)}? " if similar else ""
    return f"{found}`hatch run help` lists the commands"


if __name__ == "__main__":
    run(main)
