"""Finds a CPython of the version that Lambda runs, to compile for it and to run the function."""

import functools
import itertools
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import layers


class InterpreterError(RuntimeError):
    """There is no usable interpreter; the message says, in one line, what to do."""


_SELF = """
import json, sys
print(json.dumps([sys.implementation.name, "%d.%d" % sys.version_info[:2], sys.executable]))
"""
_HATCH = (sys.executable, "-m", "hatch", "python")
_BUILD = "import importlib.util, sys; print(sys.version, importlib.util.MAGIC_NUMBER.hex())"


@functools.cache
def target() -> Path:
    """The path of a working CPython of the layers' minor version.

    Looks on PATH and where pyenv, uv, asdf and hatch install theirs; if there is none, hatch installs it.

    Raises:
        InterpreterError: there is none and it cannot be installed, and what to do.
    """
    return first_working(itertools.chain(installed(layers.PYTHON), by_hatch(layers.PYTHON)))


def first_working(candidates: Iterable[Path]) -> Path:
    """The first of the candidates that runs and says that it is the target.

    A pyenv shim may exist and not run; one that runs names the interpreter behind it.

    Raises:
        InterpreterError: there is none, and what to do.
    """
    for candidate in candidates:
        implementation, version, executable = _identify(candidate)
        if implementation == "cpython" and version == layers.PYTHON:
            return Path(executable)
    raise InterpreterError(
        f"CPython {layers.PYTHON} was not found: install it with `hatch python install {layers.PYTHON}`, "
        "pyenv or uv"
    )


def installed(version: str) -> Iterator[Path]:
    """Candidates for an interpreter of a minor version: first those with its name, then all others."""
    import findpython  # noqa: PLC0415 - rarely needed
    from findpython.providers import ALL_PROVIDERS  # noqa: PLC0415

    names = (f"python{version}", f"python{version}.exe")
    providers = filter(None, (provider.create() for provider in ALL_PROVIDERS.values()))
    pythons = itertools.chain.from_iterable(provider.find_pythons() for provider in providers)
    named = (python.executable for python in pythons if python.executable.name in names)
    yield from sorted(named, key=lambda path: path.parent.name == "shims")  # shims are slow, and may not run
    major, minor = map(int, version.split("."))
    yield from (python.executable for python in findpython.find_all(major, minor, allow_prereleases=False))


def by_hatch(version: str) -> Iterator[Path]:
    """The interpreter that hatch has or installs now. If it cannot, the reason is printed in one line."""
    yield from _found_by_hatch(version)
    print(f"CPython {version} was not found: hatch installs it …", file=sys.stderr)
    ran = subprocess.run([*_HATCH, "install", version], check=False, capture_output=True, text=True)
    if ran.returncode:  # its whole output is long: the last line has the reason
        reason = ((ran.stderr or ran.stdout).strip().splitlines() or ["no reason was printed"])[-1]
        print(f"`hatch python install {version}` failed: {reason}", file=sys.stderr)
    yield from _found_by_hatch(version)


def _found_by_hatch(version: str) -> Iterator[Path]:
    found = subprocess.run([*_HATCH, "find", version], check=False, capture_output=True, text=True)
    if found.returncode == 0:
        yield Path(found.stdout.strip())


@functools.cache
def build(python: Path) -> str:
    """Identifies a build of CPython: the same build writes the same bytecode."""
    return subprocess.run([python, "-I", "-c", _BUILD], capture_output=True, text=True, check=True).stdout


def _identify(python: Path) -> tuple[str, str, str]:
    try:
        asked = subprocess.run([python, "-I", "-c", _SELF], capture_output=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return "", "", ""
    implementation, version, executable = json.loads(asked.stdout)
    return implementation, version, executable
