"""Assembles the function's asset: the agent's source tree, the runtime's, and bytecode for both.

The bytecode is unchecked-hash, by the target interpreter, with the paths that the modules have on Lambda. So
the same sources give the same bytes on every host and from every folder, and no cold start compiles them.
"""

import atexit
import io
import os
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from layers import interpreter

PACKAGES = Path(__file__).parents[1] / "packages"
DEFAULT_AGENT = PACKAGES / "handler" / "src"
RUNTIME = PACKAGES / "traced_agent" / "src"

_MOUNTED = "/var/task"
"""Where Lambda puts the function's code."""

_RESERVED = {"traced_agent", "traced_agent.py"}
_EXCLUDED = ("__pycache__", "*.egg-info", "*.dist-info", "*.pyc", ".*")
_TIME = (1980, 1, 1, 0, 0, 0)
_COMPILER = Path(__file__).with_name("compile_modules.py")


class AssetError(RuntimeError):
    """The asset cannot be assembled; the message says, in one line, why."""


def source_files(agent: Path) -> dict[str, Path]:
    """The files that the asset is made of, by their path in it, sorted.

    Args:
        agent: the agent's source folder; it holds `lambda_handler.py` and `agent.py`.
    """
    return dict(sorted([*_walk(agent), *_walk(RUNTIME)]))


def assemble(agent: Path, target: Path, earlier: Path | None = None) -> None:
    """Write the asset into an empty folder.

    Args:
        agent: as for `source_files`.
        target: the empty folder.
        earlier: a folder with an asset; modules that are the same in it are not compiled again.

    Raises:
        AssetError: the agent's folder has no `lambda_handler.py`, has a file with the name of the runtime's
            package, or a module with a syntax error.
        InterpreterError: this host has no CPython of the function's version.
    """
    if not (agent / "lambda_handler.py").is_file():
        raise AssetError(f"{agent} is not an agent's source folder: it has no lambda_handler.py")
    for reserved in {Path(name).parts[0] for name, _ in _walk(agent)} & _RESERVED:
        raise AssetError(f"{agent / reserved} has the name of the runtime's package: rename it")
    for name, path in source_files(agent).items():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target / name)
    compile_asset(target, earlier)


def compile_asset(folder: Path, earlier: Path | None = None) -> None:
    """Write the bytecode of every module in the folder; `earlier` as for `assemble`.

    Raises:
        AssetError: a module has a syntax error.
        InterpreterError: as `assemble`.
    """
    compiler = [str(interpreter.target()), "-I", "-S", str(_COMPILER), str(folder), _MOUNTED]
    compiler += [str(earlier)] if earlier else []
    compiled = subprocess.run(compiler, check=False, capture_output=True, text=True)
    if compiled.returncode:
        raise AssetError(f"the function's code does not compile: {compiled.stderr.strip()}")


def assembled(agent: Path = DEFAULT_AGENT, earlier: Path | None = None) -> Path:
    """The asset in a new temporary folder, which is removed when the process ends.

    The arguments are those of `assemble`.

    Raises:
        AssetError: as `assemble`.
        InterpreterError: as `assemble`.
    """
    folder = Path(tempfile.mkdtemp(prefix="function-asset-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    folder.chmod(0o755)  # the local cloud runs the function as another user
    assemble(agent, folder, earlier)
    return folder


def package(agent: Path) -> bytes:
    """The asset as a zip, for an upload without the CDK.

    Raises:
        AssetError: as `assemble`.
        InterpreterError: as `assemble`.
    """
    with tempfile.TemporaryDirectory() as folder:
        assemble(agent, Path(folder))
        return pack(Path(folder))


def pack(asset: Path) -> bytes:
    """An assembled asset as a zip."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(path for path in asset.rglob("*") if path.is_file()):
            archive.writestr(zipfile.ZipInfo(path.relative_to(asset).as_posix(), _TIME), path.read_bytes())
    return packed.getvalue()


def _walk(source: Path) -> Iterator[tuple[str, Path]]:
    ignored = shutil.ignore_patterns(*_EXCLUDED)
    for folder, folders, files in os.walk(source):
        folders[:] = sorted(set(folders) - ignored(folder, folders))
        for name in sorted(set(files) - ignored(folder, files)):
            path = Path(folder, name)
            yield path.relative_to(source).as_posix(), path
