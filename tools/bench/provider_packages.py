"""Installs packages of model providers next to a function's code."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from layers import PYTHON

_NEEDED = ("distro", "jiter", "sniffio", "tqdm")
"""What the packages need and the layers do not contain."""


def install(requirements: Sequence[str], folder: Path) -> None:
    """Install packages for the function's platform, without what the layers contain.

    Raises:
        subprocess.CalledProcessError: pip failed.
    """
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--only-binary=:all:", "--no-compile"]
    target = ["--platform", "manylinux2014_x86_64", "--python-version", PYTHON, "--target", str(folder)]
    subprocess.run(
        [*pip, *target, "--no-deps", *requirements, *_NEEDED],
        check=True,
        timeout=300,
        capture_output=True,
    )
