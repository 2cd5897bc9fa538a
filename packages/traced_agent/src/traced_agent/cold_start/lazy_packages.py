"""Packages that only re-export names: each of their modules is imported at the first use of its names.

`import strands` imports every module that its packages re-export: skills and their YAML, JSON Schema,
metrics, voice. Here a package whose `__init__` only re-exports names imports each module at the first use of
a name, like lazy imports (https://peps.python.org/pep-0810/). For any other attribute, its `__init__` is
executed first.
"""

import ast
import importlib
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import find_spec, resolve_name
from types import ModuleType
from typing import Any, TypeAlias

from traced_agent.cold_start.bytecode_finder import BytecodeLoader

Reexports: TypeAlias = Mapping[str, tuple[str, str | None]]
"""The re-exported names of a package: module and attribute; without an attribute, the module itself."""


FindSpec: TypeAlias = Callable[[str, Sequence[str] | None, ModuleType | None], ModuleSpec | None]
"""Finds a module in files."""


def install(root: str, first: str, find: FindSpec = PathFinder.find_spec) -> None:
    """Make `root` and its packages lazy, except those that are imported already.

    Args:
        root: a package.
        first: the module that `root` imports first. It is still imported first, because modules that import
            each other can be imported in some orders only.
        find: finds the modules.
    """
    sys.meta_path.insert(0, _Finder(root, first, find))


class _Finder:
    def __init__(self, root: str, first: str, find: FindSpec) -> None:
        self._root = root
        self._first = first
        self._find = find

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module's spec, with our loader for the packages of `root`."""
        if name != self._root and not name.startswith(f"{self._root}."):
            return None
        spec = self._find(name, path, target)
        if spec and spec.submodule_search_locations and type(spec.loader) in _LOADERS:
            first = self._first if name == self._root else None
            assert isinstance(spec.loader, SourceFileLoader)  # noqa: S101 - the line above
            spec.loader = _Loader(spec.loader.name, spec.loader.path, first)
        return spec


_LOADERS = (SourceFileLoader, BytecodeLoader)


class _Loader(BytecodeLoader):
    def __init__(self, name: str, path: str, first: str | None) -> None:
        super().__init__(name, path)
        self._first = first

    def exec_module(self, module: ModuleType) -> None:
        """Note the re-exported names instead of executing a package that does nothing else."""
        beside = {name.partition(".")[0] for name in os.listdir(os.path.dirname(self.path))}  # noqa: PTH120, PTH208
        names = reexports(self.get_data(self.path), self.name)
        if names is None or any(attribute and name in beside for name, (_, attribute) in names.items()):
            self.run(module)
            return
        assert module.__spec__  # noqa: S101 - the import system has set it
        module.__spec__.loader_state = names
        module.__class__ = _LazyPackage
        if self._first:
            importlib.import_module(self._first)

    def run(self, module: ModuleType) -> None:
        """Execute the package's `__init__`."""
        super().exec_module(module)


class _LazyPackage(ModuleType):
    def __getattr__(self, name: str) -> Any:
        assert self.__spec__  # noqa: S101 - as above
        names: Reexports = self.__spec__.loader_state
        if name in names:
            module, attribute = names[name]
            value = importlib.import_module(module)
            value = getattr(value, attribute) if attribute else value
            setattr(self, name, value)
            return value
        if name.startswith("__") and name != "__all__":
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        if find_spec(f"{self.__name__}.{name}"):
            return importlib.import_module(f"{self.__name__}.{name}")
        assert isinstance(self.__spec__.loader, _Loader)  # noqa: S101 - set in `exec_module`
        self.__spec__.loader.run(self)
        self.__class__ = ModuleType  # type: ignore[assignment] # last: other threads may use the package meanwhile
        return getattr(self, name)


def reexports(source: bytes, package: str) -> Reexports | None:
    """The names that an `__init__` re-exports; None if it does anything else."""
    names: dict[str, tuple[str, str | None]] = {}
    for statement in ast.parse(source).body:
        match statement:
            case ast.Expr(ast.Constant()) | ast.Assign([ast.Name("__all__")]):
                continue
            case ast.ImportFrom(None, aliases, 1):
                names |= {alias.asname or alias.name: (f"{package}.{alias.name}", None) for alias in aliases}
            case ast.ImportFrom(str(module), aliases, level) if level and aliases[0].name != "*":
                place = resolve_name("." * level + module, package)
                names |= {alias.asname or alias.name: (place, alias.name) for alias in aliases}
            case _:
                return None
    return names
