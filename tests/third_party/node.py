"""The Node packages of tests/third_party/package-lock.json, installed into the cache folder."""

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

from filelock import FileLock

from tools.aws.cdk import NODE, NPM
from tools.cache import CACHE, make_folder

FOLDER = Path(__file__).parent
_LOCK = FOLDER / "package-lock.json"
_ENVIRONMENT = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}


def packages():
    """The folder `node_modules`; the packages are installed the first time."""
    folder = CACHE / "node" / hashlib.sha256(_LOCK.read_bytes()).hexdigest()[:16]
    installed = folder / "installed"
    make_folder(folder)
    with FileLock(folder.with_suffix(".lock")):
        if not installed.exists():
            for name in ("package.json", _LOCK.name):
                shutil.copy(FOLDER / name, folder)
            npm = [str(NODE), str(NPM), "ci", "--silent", "--no-progress", "--ignore-scripts"]
            subprocess.run(npm, check=True, cwd=folder, timeout=300)
            installed.touch()
    return folder / "node_modules"


def run(script: str | Path, *arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess:
    """Run a script of a package, named `package/path`, or a file."""
    return subprocess.run(
        [str(NODE), str(packages() / script), *map(str, arguments)],
        check=False,
        cwd=cwd,
        env={**os.environ, **_ENVIRONMENT},
        capture_output=True,
        text=True,
        timeout=120,
    )


def link(folder):
    """Let scripts in a folder import the packages."""
    (folder / "node_modules").symlink_to(packages(), target_is_directory=True)


def pins():
    """The version of each package that tests use, by the package's name."""
    return json.loads((FOLDER / "package.json").read_text("utf-8"))["devDependencies"]
