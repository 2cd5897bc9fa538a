"""How scripts of this repository are run by the target interpreter, without any site-packages."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from layers import interpreter
from tools import wheels
from tools.command import Failure

_REPOSITORY = Path(__file__).parents[2]
_START = (
    "import importlib, sys; sys.path.append(sys.argv[1]); script = importlib.import_module(sys.argv[2]); "
    "sys.path.pop(); script.main(*sys.argv[3:])"
)


def command(script: ModuleType, *arguments: str) -> list[str]:
    """The command that runs a script's `main` with the arguments."""
    python = str(interpreter.target())
    return [python, "-I", "-S", "-c", _START, str(_REPOSITORY), script.__name__, *arguments]


def run(script: ModuleType, *arguments: str, environment: Mapping[str, str] = os.environ) -> str:
    """Run a script and give its standard output.

    Raises:
        Failure: the script failed, and why.
    """
    line = command(script, *arguments)
    done = subprocess.run(line, capture_output=True, encoding="utf-8", check=False, env=environment)
    if done.returncode:
        raise Failure(f"{script.__name__} failed in {line[0]}: {wheels.last_line(done.stderr)}")
    return done.stdout
