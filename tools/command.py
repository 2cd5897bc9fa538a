"""What every command of this project does the same way: fail in one line, and stop on Ctrl-C."""

import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from rich.console import Console

from layers.interpreter import InterpreterError

OUT = Console()
"""Standard output, for what was asked for."""

ERR = Console(stderr=True)
"""Standard error, for progress and trouble."""

PLAIN: dict[str, Any] = {"markup": False, "emoji": False, "highlight": False, "soft_wrap": True}
"""The arguments with which a console prints text as it is."""


class Failure(Exception):  # noqa: N818 - not an error of the code
    """Something went wrong that the user can mend; the message says, in one line, what and how."""


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
    except BrokenPipeError:  # who reads the output has enough of it, as `head` has
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
