"""Imports the function's modules as Lambda does: with the target interpreter and without any site-packages.

Takes the folder that is /opt, the folder of the function's code (or nothing), and the modules to import;
prints a line for each violation. The folders are read-only for this process, and nothing in them may be
compiled. Packages that the runtime loads when they are first used are loaded too.
"""

import errno
import importlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_CHANGING = frozenset({"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.chmod"})

_SOURCE_TO_CODE = SourceFileLoader.source_to_code.__code__

_LAZY = "traced_agent.cold_start.lazy_packages"


class ReadOnlyFolders:
    """An audit hook that refuses every change in some folders, and records what importlib compiles there."""

    def __init__(self, folders: Iterable[str]) -> None:
        self.folders = tuple(f"{folder}{os.sep}" for folder in folders)
        self.compiled: dict[str, None] = {}
        self.written: dict[str, None] = {}

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Handle one event of the interpreter (https://docs.python.org/3/library/audit_events.html)."""
        if event == "compile" and (path := self._inside(arguments[1])) and _by_importlib(sys._getframe(1)):  # noqa: SLF001
            self.compiled[path] = None
        changes = event in _CHANGING or (event == "open" and int(arguments[2] or 0) & _WRITING)
        if changes and (path := self._inside(arguments[0])):
            self.written[path] = None
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), arguments[0])

    def _inside(self, path: object) -> str | None:
        """The path relative to its folder; None if it is in none of them."""
        text = os.fsdecode(path) if isinstance(path, (str, bytes)) else ""
        folder = next(filter(text.startswith, self.folders), None)
        return text.removeprefix(folder) if folder else None


def _by_importlib(frame: FrameType | None) -> bool:
    """Whether importlib compiles a module, because it found no bytecode that it can use.

    Packages may compile source of their own when they are imported: anyio parses its `__init__.py`.
    """
    callers = (frame, frame and frame.f_back)
    return any(caller is not None and caller.f_code is _SOURCE_TO_CODE for caller in callers)


def _attempt(what: str, load: Callable[[], object], output: TextIO) -> None:
    try:
        load()
    except BaseException as error:  # noqa: BLE001 - a module may exit, too
        print(f"`{what}` fails: {type(error).__name__}: {error}".replace("\n", " "), file=output)


def _lazy_packages() -> list[str]:
    """The packages of which the runtime has loaded only a part."""
    return [name for name, module in sys.modules.items() if type(module).__module__ == _LAZY]


def _linked(python: str) -> Iterator[str]:
    """The folders whose contents are linked into `python`, at any depth."""
    for folder, folders, files in os.walk(python):
        for path in (os.path.join(folder, name) for name in (*folders, *files)):  # noqa: PTH118
            real = os.path.realpath(path)
            if real != path:
                yield real.removesuffix(path.removeprefix(python))


def main(opt: str, handler: str, *modules: str) -> None:
    """Import the modules, and print what went wrong."""
    output = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what the modules print is not part of the output
    sys.dont_write_bytecode = True  # importlib would only try, and report nothing
    python = Path(opt, "python")
    sys.path[:0] = [place for place in (handler, str(python)) if place]  # Lambda's order
    folders = ReadOnlyFolders(filter(None, {str(python), *_linked(str(python)), handler}))
    sys.addaudithook(folders)
    for module in modules:
        _attempt(f"import {module}", partial(importlib.import_module, module), output)
    for package in _lazy_packages():
        _attempt(f"from {package} import *", partial(getattr, sys.modules[package], "__all__", None), output)
    for path in folders.compiled:
        print(f"{path} was compiled when it was imported", file=output)
    for path in folders.written:
        print(f"{path} was opened for writing by an import, but it is read-only on Lambda", file=output)
    output.close()
