"""Checks the bytecode of one layer, with the interpreter that has to use it.

Takes a zip or a folder, and a file with the paths to skip, a line for each; prints [path, fault, harmless] in
JSON, a line for each fault.
"""

import importlib.util
import json
import marshal
from collections.abc import Container, Iterator, Mapping
from pathlib import Path
from zipfile import ZipFile

from tools.build_layers.target_scripts.compile_wheel import UNCHECKED_HASH, cached_path, is_module
from tools.zip_entries import MOUNTED, ROOT


def faults(files: Mapping[str, bytes]) -> Iterator[tuple[str, str, bool]]:
    """What is wrong: the path, the fault, and whether it is harmless."""
    modules = sorted(filter(is_module, files))
    for path in modules:
        if fault := _fault(path, files[path], files.get(cached_path(path))):
            yield path, fault, False
    for path in sorted({path for path in files if path.endswith(".pyc")} - set(map(cached_path, modules))):
        if (
            "__pycache__/" in path or files[path][:4] != importlib.util.MAGIC_NUMBER
        ):  # else it needs no source
            yield path, "is bytecode that no module of this Python uses", True


def _fault(path: str, source: bytes, compiled: bytes | None) -> str | None:
    if compiled is None:
        return "has no bytecode, so it is compiled at every cold start" if _is_python(source) else None
    if compiled[:4] != importlib.util.MAGIC_NUMBER:
        return "has bytecode of another Python"
    if int.from_bytes(compiled[4:8], "little") != UNCHECKED_HASH:
        return "has bytecode that is only used if its source looks unchanged"
    if compiled[8:16] != importlib.util.source_hash(source):
        return "has stale bytecode, compiled from another source"
    return _other_path(path, compiled[16:])


def _other_path(path: str, marshalled: bytes) -> str | None:
    try:
        name = marshal.loads(marshalled).co_filename  # noqa: S302 - reading it runs nothing
    except (AttributeError, EOFError, TypeError, ValueError):
        return "has broken bytecode"
    return None if name == MOUNTED + path else f"has bytecode that names another path: {name}"


def _is_python(source: bytes) -> bool:
    """Wheels may contain templates and modules for other Pythons, which this one cannot compile."""
    try:
        compile(source, "", "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return False
    return True


def _read(path: Path, skipped: Container[str]) -> dict[str, bytes]:
    if path.is_dir():
        files = {place.relative_to(path).as_posix(): place for place in path.rglob("*.py*")}
        read = {name: place.read_bytes() for name, place in files.items()}
    else:
        with ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith((".py", ".pyc"))]
            read = {name: archive.read(name) for name in names if name.removeprefix(ROOT) not in skipped}
    inside = {name.removeprefix(ROOT): data for name, data in read.items() if name.startswith(ROOT)}
    return inside or read


def main(path: str, skipped: str) -> None:
    """Print what is wrong with the bytecode of a zip or folder."""
    for fault in faults(_read(Path(path), frozenset(Path(skipped).read_text("utf-8").split("\n")))):
        print(json.dumps(fault))
