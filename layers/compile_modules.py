"""Compiles modules of a folder; run by the target interpreter, whose bytecode no other can write.

`python compile_modules.py FOLDER MOUNTED` writes an unchecked-hash .pyc (PEP 552) for each module that stdin
names, with the path that the module has on Lambda, below MOUNTED. The names are relative to FOLDER, each with
a NUL behind it. Imports little of the standard library: the local cloud waits for it after each edit.
"""

import importlib.util
import marshal
import os
import sys

_UNCHECKED_HASH = 0b01
"""The flag field of a .pyc that is used without reading its source."""


def compile_modules(folder: str, mounted: str, names: list[str]) -> str | None:
    """Write the bytecode of the modules.

    Returns:
        The first error, as `path, line N: message`; None if every module was compiled.
    """
    for name in names:
        path = f"{folder}/{name}"
        with open(path, "rb") as file:  # noqa: PTH123 - importing pathlib takes as long as the rest
            source = file.read()
        try:
            data = _bytecode(source, f"{mounted}/{name}")
        except (SyntaxError, ValueError) as error:
            line = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
            return f"{name}{line}: {getattr(error, 'msg', error)}"
        target = importlib.util.cache_from_source(path)
        os.makedirs(os.path.dirname(target), exist_ok=True)  # noqa: PTH103, PTH120 - as above
        with open(target, "wb") as file:  # noqa: PTH123 - as above
            file.write(data)
    return None


def _bytecode(source: bytes, path: str) -> bytes:
    code = compile(source, path, "exec", dont_inherit=True)
    flags = _UNCHECKED_HASH.to_bytes(4, "little")
    header = importlib.util.MAGIC_NUMBER + flags + importlib.util.source_hash(source)
    return header + marshal.dumps(code)


if __name__ == "__main__":
    listed = os.fsdecode(sys.stdin.buffer.read())
    sys.exit(compile_modules(sys.argv[1], sys.argv[2], listed.split("\0")[:-1]))
