"""Compiles the modules of a folder; run by the target interpreter, whose bytecode no other can write.

`python compile_modules.py FOLDER MOUNTED [EARLIER]` writes an unchecked-hash .pyc (PEP 552) for each module
of FOLDER, with the path that the module has on Lambda, below MOUNTED. A module that is the same in EARLIER,
which was compiled in this way before, is not compiled again. Imports the standard library only.
"""

import importlib.util
import marshal
import sys
from pathlib import Path

_UNCHECKED_HASH = 0b01
"""The flag field of a .pyc that is used without reading its source."""


def compile_folder(folder: Path, mounted: str, earlier: Path | None = None) -> str | None:
    """Write the bytecode of every module.

    Returns:
        The first error, as `path, line N: message`; None if every module was compiled.
    """
    for path in sorted(folder.rglob("*.py")):
        name = path.relative_to(folder).as_posix()
        source = path.read_bytes()
        try:
            data = _kept(source, earlier and earlier / name) or _bytecode(source, f"{mounted}/{name}")
        except (SyntaxError, ValueError) as error:
            line = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
            return f"{name}{line}: {getattr(error, 'msg', error)}"
        target = Path(importlib.util.cache_from_source(str(path)))
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(data)
    return None


def _kept(source: bytes, earlier: Path | None) -> bytes | None:
    """The bytecode of the same source in an earlier folder."""
    try:
        data = Path(importlib.util.cache_from_source(str(earlier))).read_bytes() if earlier else b""
    except OSError:
        return None
    header = _header(source)
    return data if data.startswith(header) and len(data) > len(header) else None


def _bytecode(source: bytes, path: str) -> bytes:
    code = compile(source, path, "exec", dont_inherit=True)
    return _header(source) + marshal.dumps(code)


def _header(source: bytes) -> bytes:
    flags = _UNCHECKED_HASH.to_bytes(4, "little")
    return importlib.util.MAGIC_NUMBER + flags + importlib.util.source_hash(source)


if __name__ == "__main__":
    sys.exit(compile_folder(Path(sys.argv[1]), sys.argv[2], *map(Path, sys.argv[3:])))
