"""What all commands of this project do in the same way: help, one-line errors, the end on Ctrl-C."""

import argparse
import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from rich.console import Console

from layers.interpreter import InterpreterError

OUT = Console()
"""Standard output, for the result of a command."""

ERR = Console(stderr=True)
"""Standard error, for progress and errors."""

PLAIN: dict[str, Any] = {"markup": False, "emoji": False, "highlight": False, "soft_wrap": True}
"""The arguments with which a console prints text as it is."""


class Failure(Exception):  # noqa: N818 - not an error of the code
    """An error that the user can fix; the message says, in one line, what happened and what to do."""


def described(command: str, description: str, example: str) -> dict[str, Any]:
    """The arguments of an `argparse` parser for `hatch run COMMAND`: uniform help."""
    return {
        "prog": f"hatch run {command}",
        "description": description,
        "epilog": f"example: {example}",
        "formatter_class": argparse.RawDescriptionHelpFormatter,
        "allow_abbrev": False,
    }


def run(main: Callable[[], int | None]) -> NoReturn:
    """Run a command to its exit code: 1 with one line for a `Failure`, 130 for Ctrl-C."""
    try:
        code = main()
        sys.stdout.flush()
        sys.exit(code)
    except (Failure, InterpreterError) as failure:
        ERR.print("[bold red]error:[/]", end=" ")
        ERR.print(str(failure), markup=False, highlight=False, soft_wrap=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # the reader of the output has ended, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
