"""Takes what libraries compile while they are imported from a table, which is part of the function's asset.

Dataclasses and named tuples compile the source of their methods, type hints in quotes are compiled as forward
references, and modules compile their regular expressions: together almost a fifth of the cold start. The
table has the results by their complete input, so that a result is the same as without it. What the table does
not have is compiled. `layers/precompile.py` writes the table. Once init is over, Python compiles as always.
"""

import _sre  # type: ignore[import-not-found] # without types
import collections
import contextlib
import dataclasses
import importlib.util
import marshal
import os
import re
import typing
from collections.abc import Callable, Mapping
from types import CodeType
from typing import Any, Final

FILE: Final = "precompiled.bin"
"""The table's file, in the folder of this module."""

VERSION: Final = importlib.util.MAGIC_NUMBER + _sre.MAGIC.to_bytes(4, "little")
"""The first bytes of a table for this version of bytecode and of compiled regular expressions."""

_re_compiler: Final = re._compiler  # type: ignore[attr-defined] # noqa: SLF001 - the compiler has no public name
_compile_pattern: Final = _re_compiler.compile


class Table:
    """Code by its kind ("exec" or "eval") and source, and regular expressions by pattern and flags.

    Four methods have the signatures of the functions that they replace.
    """

    def __init__(
        self,
        code: Mapping[tuple[str, str], CodeType],
        patterns: Mapping[tuple[str | bytes, int], tuple[Any, ...]],
    ) -> None:
        self._code = code
        self._patterns = patterns

    def code(self, kind: str, source: str) -> CodeType:
        """The source's code."""
        found = self._code.get((kind, source))
        return found or compile(source, "<string>", kind, dont_inherit=True)

    def pattern(self, pattern: str | bytes, flags: int) -> re.Pattern[Any]:
        """The compiled regular expression."""
        if arguments := self._patterns.get((pattern, flags)):
            return _sre.compile(pattern, *arguments)  # type: ignore[no-any-return]
        return _compile_pattern(pattern, flags)  # type: ignore[no-any-return] # without types

    def clear(self) -> None:
        """Free the memory of the results."""
        self._code, self._patterns = {}, {}

    def exec(self, source: str, *scope: Any) -> None:
        """As `exec`."""
        exec(self.code("exec", source), *scope)  # noqa: S102 - as `dataclasses` does

    def eval(self, source: str, *scope: Any) -> Any:
        """As `eval`."""
        return eval(self.code("eval", source), *scope)  # noqa: S307 - as `collections` does

    def compile(self, source: str, filename: str, kind: str) -> CodeType:
        """As `compile`."""
        return self.code(kind, source) if filename == "<string>" else compile(source, filename, kind)

    def compile_pattern(self, pattern: Any, flags: int = 0) -> Any:
        """As `re._compiler.compile`."""
        if isinstance(pattern, (str, bytes)):
            return self.pattern(pattern, flags)
        return _compile_pattern(pattern, flags)


def read(path: str) -> Table | None:
    """The table in a file; None if there is none for this Python."""
    with contextlib.suppress(FileNotFoundError), open(path, "rb") as file:  # noqa: PTH123 - pathlib is not imported yet
        data = file.read()
        if data.startswith(VERSION):
            return Table(*marshal.loads(memoryview(data)[len(VERSION) :]))  # noqa: S302 - from our asset
    return None


def install(table: Table) -> Callable[[], None]:
    """Let the standard library take compiled code from the table; returns the function that ends this."""
    # A name in a module takes precedence over the builtin function.
    names = (
        (vars(dataclasses), "exec", table.exec),
        (vars(collections), "eval", table.eval),
        (vars(typing), "compile", table.compile),
    )
    for module, name, function in names:
        module[name] = function
    _re_compiler.compile = compile_pattern = table.compile_pattern

    def uninstall() -> None:
        for module, name, function in names:
            if module.get(name) is function:
                del module[name]
        if _re_compiler.compile is compile_pattern:
            _re_compiler.compile = _compile_pattern
        table.clear()

    return uninstall


def start() -> Callable[[], None]:
    """Install the asset's table, if there is one; returns the function to call after init."""
    table = read(f"{os.path.dirname(__file__)}/{FILE}")  # noqa: PTH120 - pathlib is not imported yet
    return install(table) if table else lambda: None
