"""The hatch environments of programs that need other versions than ours; each is made when first used."""

import functools
import os
import subprocess
import sys
import tomllib
from pathlib import Path

from tools.command import Failure

ROOT = Path(__file__).parents[1]


@functools.cache
def python_of(name: str) -> Path:
    """The Python of a hatch environment of pyproject.toml.

    Raises:
        Failure: the environment cannot be made.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    pinned = project["tool"]["hatch"]["envs"][name]["dependencies"][0]
    installed = "-".join(part.replace("-", "_") for part in pinned.split("=="))
    beside = Path(sys.prefix).with_name(name)  # hatch keeps a project's environments in one folder
    made = any(beside.glob(f"lib/python*/site-packages/{installed}.dist-info"))
    return (beside if made else _create(name)) / "bin" / "python"


def _create(name: str) -> Path:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("HATCH_ENV", "UV_"))}
    hatch = [sys.executable, "-m", "hatch", "--no-color", "env"]
    for words in (["create", name], ["find", name]):
        ran = subprocess.run(
            [*hatch, *words], check=False, capture_output=True, cwd=ROOT, env=clean, encoding="utf-8"
        )
        if ran.returncode:
            lines = (ran.stderr or ran.stdout).strip().splitlines()
            reason = lines[-1] if lines else "hatch printed nothing"
            raise Failure(f"the environment {name} could not be installed: {reason}")
    return Path(ran.stdout.strip().splitlines()[-1])
