"""Finds the layers' modules by their bytecode, without the file checks that a read-only tree does not need.

Python's own finder checks each entry of `sys.path` and each file's time for every import, because files can
change. A layer cannot change: here a folder is listed once, and a module with valid bytecode is loaded
without its source. Everything else (extension modules, namespace packages, other bytecode, other folders) is
left to Python's own finder.
"""

import contextlib
import importlib.util
import marshal
import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType

LAYERS = "/opt/python"
"""The folder of the layers' modules on Lambda."""

READ_ONLY = ("/opt", "/var/task", "/var/runtime", "/var/lang")
"""Folders that do not change in an execution environment; `/tmp` can change."""

_UNCHECKED = importlib.util.MAGIC_NUMBER + (1).to_bytes(4, "little")
"""The first bytes of bytecode that is valid regardless of its source (PEP 552)."""

_PYC = f".{sys.implementation.cache_tag}.pyc"


class BytecodeLoader(SourceFileLoader):
    """Loads unchecked-hash bytecode of this interpreter, and everything else as Python does."""

    def get_code(self, fullname: str) -> CodeType | None:
        """The module's code, with the path that the module has."""
        folder, _, name = self.path.rpartition("/")
        try:
            with open(f"{folder}/__pycache__/{name[:-3]}{_PYC}", "rb", buffering=0) as file:  # noqa: PTH123
                data = file.read()
        except OSError:
            return super().get_code(fullname)
        if data.startswith(_UNCHECKED):
            code = marshal.loads(memoryview(data)[16:])  # noqa: S302 - Python itself loads these bytes so
            if code.co_filename == self.path:
                return code  # type: ignore[no-any-return] # marshal is not typed
        return super().get_code(fullname)


class BytecodeFinder:
    """A finder for `sys.meta_path`, to be placed before Python's own finder of files."""

    def __init__(self, root: str = LAYERS, read_only: Sequence[str] = READ_ONLY) -> None:
        self._root = f"{root}/"
        self._read_only = tuple(f"{folder}/" for folder in read_only)
        self._listings: dict[str, dict[str, set[str]]] = {}

    def find_spec(
        self,
        name: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,  # noqa: ARG002 - part of the protocol
    ) -> ModuleSpec | None:
        """The module's spec if the first folder with a file of its name is a layer's."""
        module = name.rpartition(".")[2]
        for folder in sys.path if path is None else path:
            if not isinstance(folder, str) or not f"{folder}/".startswith(self._read_only):
                return None
            if entries := self._entries(folder).get(module):
                return self._spec(name, module, folder, entries) if self._is_layer(folder) else None
        return None

    def find(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The same, or the spec of Python's own finder."""
        return self.find_spec(name, path, target) or PathFinder.find_spec(name, path, target)

    def _is_layer(self, folder: str) -> bool:
        return f"{folder}/".startswith(self._root)

    def _entries(self, folder: str) -> dict[str, set[str]]:
        """The folder's entries by the part of their name before the first dot."""
        found = self._listings.get(folder)
        if found is None:
            found = {}
            with contextlib.suppress(OSError):
                for entry in os.listdir(folder):  # noqa: PTH208 - pathlib is not imported yet
                    found.setdefault(entry.partition(".")[0], set()).add(entry)
            self._listings[folder] = found
        return found

    def _spec(self, name: str, module: str, folder: str, entries: set[str]) -> ModuleSpec | None:
        package, path = None, f"{folder}/{module}.py"
        if module in entries:
            package = f"{folder}/{module}"
            entries, path = self._entries(package).get("__init__", set()), f"{package}/__init__.py"
        source = path.rpartition("/")[2]
        if source not in entries or any(entry.endswith(".so") for entry in entries):
            return None
        return importlib.util.spec_from_file_location(
            name,
            path,
            loader=BytecodeLoader(name, path),
            submodule_search_locations=None if package is None else [package],
        )


def install() -> BytecodeFinder:
    """Place a finder before Python's own finder of files; returns it."""
    finder = BytecodeFinder()
    sys.meta_path.insert(sys.meta_path.index(PathFinder), finder)
    return finder
