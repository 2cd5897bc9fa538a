"""Environments of the peers, created once in the user's cache."""

import functools
import importlib.metadata
import os
import subprocess
from pathlib import Path

import uv

from layers import interpreter
from tools.cache import CACHE

_HOME = CACHE / "peers"


@functools.cache
def environment(name: str, *packages: str) -> Path:
    """The directory of the programs of a virtual environment of the target Python with these packages.

    Raises:
        RuntimeError: the packages could not be installed.
    """
    directory = _HOME / name
    if not (directory / "pyvenv.cfg").exists():
        _uv("venv", "--python", str(interpreter.target()), str(directory))
    if packages:
        _uv("pip", "install", "--python", str(directory / "bin" / "python"), *packages)
    return directory / "bin"


def version(name: str, package: str) -> str:
    """The version of a package in such an environment; with an empty name, in the bench's own."""
    if not name:
        return importlib.metadata.version(package)
    code = f"import importlib.metadata; print(importlib.metadata.version({package!r}))"
    python = environment(name, package) / "python"
    return subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def _uv(*arguments: str) -> None:
    environ = {name: value for name, value in os.environ.items() if name != "UV_CONSTRAINT"}
    command = [uv.find_uv_bin(), "--quiet", *arguments]
    done = subprocess.run(command, check=False, env=environ, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"uv {arguments[0]} failed: {done.stderr.strip().splitlines()[0]}")
