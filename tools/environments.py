"""The hatch environments of programs that need other versions than ours; each is made when first used."""

import functools
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

from filelock import FileLock

from tools.cache import CACHE, make_folder
from tools.command import Failure

ROOT = Path(__file__).parents[1]


@functools.cache
def python_of(name: str) -> Path:
    """The Python of a hatch environment of pyproject.toml.

    Raises:
        Failure: the environment cannot be made.
    """
    beside = Path(sys.prefix).with_name(name)  # hatch keeps a project's environments in one folder
    if not has_all(beside, pins(name)):
        make_folder(CACHE)
        with FileLock(CACHE / f"environment-{name}.lock"):
            beside = beside if has_all(beside, pins(name)) else _create(name)
    return beside / "bin" / "python"


def pins(name: str) -> dict[str, str]:
    """The version of each package that an environment of pyproject.toml pins, by the package's name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    environment = project["tool"]["hatch"]["envs"][name]
    entries = [*environment.get("dependencies", ()), *environment.get("extra-dependencies", ())]
    found = (re.fullmatch(r"([\w.-]+)(?:\[.*\])?==([\w.]+)", entry) for entry in entries)
    return {pin[1]: pin[2] for pin in found if pin}


def has_all(environment: Path, pinned: Mapping[str, str]) -> bool:
    """Whether these versions are installed in an environment."""
    folders = (f"{re.sub('[-_.]+', '_', package)}-{version}" for package, version in pinned.items())
    return all(any(environment.glob(f"lib/python*/site-packages/{name}.dist-info")) for name in folders)


def _create(name: str) -> Path:
    """Create the environment, or bring it up to date."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("HATCH_ENV", "UV_"))}
    for words in (["run", f"{name}:python", "-V"], ["env", "find", name]):
        ran = subprocess.run(
            [sys.executable, "-m", "hatch", "--no-color", *words],
            check=False,
            capture_output=True,
            cwd=ROOT,
            env=clean,
            encoding="utf-8",
        )
        if ran.returncode:
            lines = (ran.stderr or ran.stdout).strip().splitlines()
            reason = lines[-1] if lines else "hatch printed nothing"
            raise Failure(f"the environment {name} could not be installed: {reason}")
    return Path(ran.stdout.strip().splitlines()[-1])
