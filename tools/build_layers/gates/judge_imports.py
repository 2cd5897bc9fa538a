"""The function's imports, made as on Lambda: run by the target interpreter, without any site-packages.

Takes the folder that would be /opt, the function's code (or nothing), and the modules to import; prints a
line for each breach. The folder is read-only for this process, as /opt is, and nothing in it may be compiled.
What the handler puts off, packages that load when they are asked for, is asked for, too.
"""

import errno
import importlib
import os
import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, TextIO

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
CHANGING = frozenset({"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.chmod"})

_LAZY = "traced_agent.lazy_packages"


class Watch:
    """An audit hook that refuses every change under some folders, and remembers what was compiled there."""

    def __init__(self, folders: Iterable[str]) -> None:
        self.folders = tuple(f"{folder}{os.sep}" for folder in folders)
        self.compiled: dict[str, None] = {}
        self.written: dict[str, None] = {}

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Look at one event of the interpreter (https://docs.python.org/3/library/audit_events.html)."""
        if event == "compile" and (path := self._inside(arguments[1])):
            self.compiled[path] = None
        changes = event in CHANGING or (event == "open" and int(arguments[2] or 0) & WRITING)
        if changes and (path := self._inside(arguments[0])):
            self.written[path] = None
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), arguments[0])

    def _inside(self, path: object) -> str | None:
        """The path from its folder on; None for what is somewhere else."""
        text = os.fsdecode(path) if isinstance(path, (str, bytes)) else ""
        folder = next(filter(text.startswith, self.folders), None)
        return text.removeprefix(folder) if folder else None


def _attempt(what: str, load: Callable[[], object], told: TextIO) -> None:
    try:
        load()
    except BaseException as error:  # noqa: BLE001 - a module may exit, too
        print(f"`{what}` fails: {type(error).__name__}: {error}".replace("\n", " "), file=told)


def _put_off() -> list[str]:
    """The packages of which the handler has loaded only what it needs."""
    return [name for name, module in sys.modules.items() if type(module).__module__ == _LAZY]


def main(opt: str, handler: str, *modules: str) -> None:
    """Import the modules, and print what went wrong."""
    told = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what the modules print is none of this
    python = Path(opt, "python")
    sys.path[:0] = [place for place in (handler, str(python)) if place]  # where Lambda looks, in its order
    linked = {os.path.dirname(os.path.realpath(place)) for place in python.iterdir()}  # noqa: PTH120
    watch = Watch({str(python), *linked})
    sys.addaudithook(watch)
    for module in modules:
        _attempt(f"import {module}", partial(importlib.import_module, module), told)
    for package in _put_off():
        _attempt(f"from {package} import *", partial(getattr, sys.modules[package], "__all__", None), told)
    for path in watch.compiled:
        print(f"{path} was compiled when it was imported", file=told)
    for path in watch.written:
        print(f"{path} was to be written by an import, and /opt is read-only", file=told)
    told.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
