"""Assembles the function's asset: the agent's source tree, the runtime's, and bytecode for both.

The bytecode is unchecked-hash, by the target interpreter, with the paths that the modules have on Lambda. So
the same sources give the same bytes on every host and from every folder, and no cold start compiles them. A
table has the results of what the libraries of the layers compile while they are imported.
"""

import atexit
import functools
import io
import os
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from layers import interpreter
from layers.target import EXTENSION

PACKAGES = Path(__file__).parents[1] / "packages"
DEFAULT_AGENT = PACKAGES / "handler" / "src"
RUNTIME = PACKAGES / "traced_agent" / "src"

INPUTS = Path(__file__).with_name("precompiled.json")
"""What the libraries of the layers compile while they are imported: a record of the built layers."""

TABLE = "traced_agent/cold_start/precompiled.bin"
"""The path of its results in the asset."""

ENTRY = "lambda_handler"
"""The module that Lambda imports."""

_MOUNTED = "/var/task"
"""Where Lambda puts the function's code."""

_RESERVED = {"traced_agent", "traced_agent.py"}
_EXCLUDED = ("__pycache__", "*.egg-info", "*.dist-info", "*.pyc", ".*")
_TIME = (1980, 1, 1, 0, 0, 0)
_COMPILER = Path(__file__).with_name("compile_modules.py")
_PRECOMPILER = Path(__file__).with_name("precompile.py")


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
        earlier: an assembled asset that is never changed; modules that are the same in it are linked to it,
            with their bytecode, and not compiled again.

    Raises:
        AssetError: the agent's folder has no `lambda_handler.py`, has a file with the name of the runtime's
            package, or a module with a syntax error.
        InterpreterError: this host has no CPython of the function's version.
    """
    if not (agent / f"{ENTRY}.py").is_file():
        raise AssetError(f"{agent} is not an agent's source folder: it has no {ENTRY}.py")
    for reserved in {Path(name).parts[0] for name, _ in _walk(agent)} & _RESERVED:
        raise AssetError(f"{agent / reserved} has the name of the runtime's package: rename it")
    files = source_files(agent)
    for folder in {(target / name).parent for name in files}:
        folder.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(1) as pool:
        table = pool.submit(_precompiled, INPUTS.read_bytes())
        compile_asset(target, [name for name, path in files.items() if _add(path, name, target, earlier)])
    (target / TABLE).write_bytes(table.result())


@functools.lru_cache(maxsize=1)
def _precompiled(inputs: bytes) -> bytes:
    """The table of the results, by the target interpreter."""
    command = [str(interpreter.target()), "-I", "-S", str(_PRECOMPILER)]
    made = subprocess.run(command, check=False, capture_output=True, input=inputs)
    if made.returncode:
        reason = made.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise AssetError(f"layers/{INPUTS.name} cannot be compiled: {reason}: restore it, or record it again")
    return made.stdout


def _add(path: Path, name: str, target: Path, earlier: Path | None) -> bool:
    """Add a source file to the asset; whether it is a module without bytecode."""
    data = path.read_bytes()
    if earlier and name.endswith(".py") and _is_compiled(data, name, earlier):
        for part in (name, _bytecode(name)):
            _link(earlier / part, target / part)
        return False
    (target / name).write_bytes(data)
    return name.endswith(".py")


def _is_compiled(data: bytes, name: str, earlier: Path) -> bool:
    """Whether an earlier asset has the same module, and its bytecode."""
    try:
        return (earlier / name).read_bytes() == data and (earlier / _bytecode(name)).is_file()
    except OSError:
        return False


def _bytecode(name: str) -> str:
    """The path of a module's bytecode in the asset."""
    folder, _, module = name.rpartition("/")
    compiled = f"__pycache__/{module.removesuffix('.py')}.{EXTENSION}.pyc"
    return f"{folder}/{compiled}" if folder else compiled


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(exist_ok=True)
    try:
        target.hardlink_to(source)
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, target)


def compile_asset(folder: Path, names: Sequence[str] | None = None) -> None:
    """Write the bytecode of the modules with these paths in the folder, by default of every module.

    Raises:
        AssetError: a module has a syntax error.
        InterpreterError: as `assemble`.
    """
    if names is None:
        names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.py"))
    compiler = [str(interpreter.target()), "-I", "-S", str(_COMPILER), str(folder), _MOUNTED]
    listed = b"".join(os.fsencode(f"{name}\0") for name in names)
    compiled = subprocess.run(compiler, check=False, capture_output=True, input=listed)
    if compiled.returncode:
        reason = compiled.stderr.decode("utf-8", "replace").strip()
        raise AssetError(f"the function's code does not compile: {reason}")


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


def pack(asset: Path) -> bytes:
    """An assembled asset as a zip, for an upload without the CDK; the same asset gives the same bytes."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
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
