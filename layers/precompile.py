"""Compiles what libraries compile while they are imported; run by the target interpreter.

`python precompile.py` reads the inputs, JSON, from stdin, and writes the table that
`traced_agent.cold_start.precompiled` reads to stdout.
"""

import _sre  # type: ignore[import-not-found] # without types
import importlib.util
import json
import marshal
import re
import sys
import warnings
from types import CodeType
from typing import Any

_re_compiler = re._compiler  # type: ignore[attr-defined] # noqa: SLF001 - the compiler has no public name


class _Arguments:
    """In place of `_sre`: notes the arguments of its `compile`."""

    def __getattr__(self, name: str) -> Any:
        return getattr(_sre, name)

    def compile(self, pattern: str | bytes, *arguments: Any) -> re.Pattern[Any]:
        self.noted = arguments
        return _sre.compile(pattern, *arguments)  # type: ignore[no-any-return]


def table(inputs: bytes) -> bytes:
    """The table of these inputs: its version and the results.

    An input that this Python rejects or warns about is left out, so that it fails or warns in the function.
    """
    read = json.loads(inputs)
    warnings.simplefilter("error")
    code, patterns = {}, {}
    for kind in ("exec", "eval"):
        code.update({(kind, source): made for source in read[kind] if (made := _code(kind, source))})
    for text, flags, kind in read["patterns"]:
        pattern = text.encode("latin-1") if kind == "bytes" else text
        if arguments := _pattern(pattern, flags):
            patterns[pattern, flags] = arguments
    version: bytes = importlib.util.MAGIC_NUMBER + _sre.MAGIC.to_bytes(4, "little")
    return version + marshal.dumps((code, patterns))


def _code(kind: str, source: str) -> CodeType | None:
    try:
        return compile(source, "<string>", kind, dont_inherit=True)
    except (SyntaxError, ValueError, Warning):
        return None


def _pattern(pattern: str | bytes, flags: int) -> tuple[Any, ...] | None:
    """What `_sre.compile` needs besides the pattern, as types that can be marshalled."""
    _re_compiler._sre = arguments = _Arguments()  # noqa: SLF001 - as above
    try:
        _re_compiler.compile(pattern, flags)
    except (re.error, ValueError, Warning):
        return None
    all_flags, code, groups, index, names = arguments.noted
    return int(all_flags), [int(word) for word in code], int(groups), dict(index), names


if __name__ == "__main__":
    sys.stdout.buffer.write(table(sys.stdin.buffer.read()))
