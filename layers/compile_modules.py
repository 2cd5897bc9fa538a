"""Compiles the modules of a folder; run by the target interpreter, whose bytecode no other can write.

`python compile_modules.py FOLDER MOUNTED` writes an unchecked-hash .pyc (PEP 552) for each module of FOLDER,
with the path that the module has on Lambda, below MOUNTED. Imports the standard library only.
"""

import importlib.util
import marshal
import sys
from pathlib import Path

_UNCHECKED_HASH = 0b01
"""The flag field of a .pyc that is used without reading its source."""


def compile_folder(folder: Path, mounted: str) -> str | None:
    """Write the bytecode of every module.

    Returns:
        The first error, as `path, line N: message`; None if every module was compiled.
    """
    for path in sorted(folder.rglob("*.py")):
        name = path.relative_to(folder).as_posix()
        try:
            data = _bytecode(path.read_bytes(), f"{mounted}/{name}")
        except (SyntaxError, ValueError) as error:
            line = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
            return f"{name}{line}: {getattr(error, 'msg', error)}"
        target = Path(importlib.util.cache_from_source(str(path)))
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(data)
    return None


def _bytecode(source: bytes, path: str) -> bytes:
    code = compile(source, path, "exec", dont_inherit=True)
    flags = _UNCHECKED_HASH.to_bytes(4, "little")
    return importlib.util.MAGIC_NUMBER + flags + importlib.util.source_hash(source) + marshal.dumps(code)


if __name__ == "__main__":
    sys.exit(compile_folder(Path(sys.argv[1]), sys.argv[2]))
