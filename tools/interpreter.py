"""Finds the CPython that Lambda will run, to compile for it and to run as it does."""

import functools
import json
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

import layers
from tools import cache
from tools.command import Failure

_SELF = "import json, sys; print(json.dumps([sys.implementation.name, *sys.version_info[:2]]))"
_BUILD = "import importlib.util, sys; print(sys.version, importlib.util.MAGIC_NUMBER.hex())"
_REMEMBERED = cache.CACHE / f"python{layers.PYTHON}.path"


@functools.cache
def target() -> Path:
    """The path of a working CPython of the layers' minor version.

    Looks on PATH and where pyenv, uv, asdf and hatch keep theirs; asks each candidate what it is, since a
    pyenv shim may exist and not run. The search takes seconds, so what it found is remembered.

    Raises:
        Failure: there is none, and what to do.
    """
    if (remembered := cache.read(_REMEMBERED)) and _is_target(Path(remembered.decode())):
        return Path(remembered.decode())
    found = first_working(_installed())
    cache.write(_REMEMBERED, str(found).encode())
    return found


def build(python: Path) -> str:
    """Which build of CPython it is: two of the same write the same bytecode."""
    return subprocess.run([python, "-I", "-c", _BUILD], capture_output=True, text=True, check=True).stdout


def first_working(candidates: Iterable[Path]) -> Path:
    """The first of the candidates that runs and is the target.

    Raises:
        Failure: there is none, and what to do.
    """
    if found := next(filter(_is_target, candidates), None):
        return found
    raise Failure(
        f"CPython {layers.PYTHON} was not found: run `hatch python install {layers.PYTHON}`, "
        "or install it with pyenv or uv"
    )


def _installed() -> Iterator[Path]:
    import findpython  # noqa: PLC0415 - seldom needed

    major, minor = map(int, layers.PYTHON.split("."))
    for python in findpython.find_all(major, minor, allow_prereleases=False):
        yield python.real_path


def _is_target(python: Path) -> bool:
    try:
        asked = subprocess.run([python, "-I", "-c", _SELF], capture_output=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return False
    implementation, *version = json.loads(asked.stdout)
    return bool(implementation == "cpython" and version == [int(part) for part in layers.PYTHON.split(".")])
