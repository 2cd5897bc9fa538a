"""Delays modules of libraries from which another module imports names that it does not use in most runs.

For example, `strands.agent.agent` imports `ToolWatcher`, which needs a file watcher, and uses it only for an
agent that loads tools from a folder. Here this importer gets a placeholder. The first use of the placeholder
executes the module and puts the real object in its place. Any other import gets the real objects.
"""

import sys
import threading
from collections.abc import Mapping, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Final, NamedTuple

from traced_agent.cold_start.lazy_packages import FindSpec


class Deferral(NamedTuple):
    """The names that one importer takes from a module."""

    importer: str
    names: frozenset[str]


MODULES: Final[Mapping[str, Deferral]] = {
    "boto3.compat": Deferral("boto3", frozenset({"_warn_deprecated_python"})),
    "packaging.requirements": Deferral(
        "opentelemetry.instrumentation.dependencies", frozenset({"InvalidRequirement", "Requirement"})
    ),
    "strands.tools.watcher": Deferral("strands.agent.agent", frozenset({"ToolWatcher"})),
}

_lock = threading.RLock()


def install(find: FindSpec, modules: Mapping[str, Deferral] = MODULES) -> None:
    """Delay the modules that are not imported yet.

    Args:
        find: finds the modules.
        modules: the deferral of each module, by its name.
    """
    sys.meta_path.insert(0, _Finder(find, modules))


class _Finder:
    def __init__(self, find: FindSpec, modules: Mapping[str, Deferral]) -> None:
        self._find, self._modules = find, modules

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of a delayed module; None for any other."""
        deferral = self._modules.get(name)
        spec = self._find(name, path, target) if deferral else None
        if deferral and spec and spec.loader:
            spec.loader = _Loader(spec.loader, deferral)  # type: ignore[assignment] # not an ABC: its import costs
        return spec


class _Loader:
    def __init__(self, real: Any, deferral: Deferral) -> None:
        self.real, self.deferral = real, deferral

    def create_module(self, spec: ModuleSpec) -> None:
        """Python creates the module."""

    def exec_module(self, module: ModuleType) -> None:
        """Leave the module empty until a name of it is needed."""
        module.__class__ = _DelayedModule


class _DelayedModule(ModuleType):
    def __getattr__(self, name: str) -> Any:
        assert self.__spec__  # noqa: S101 - the import system has set it
        loader = self.__spec__.loader
        if isinstance(loader, _Loader) and name in loader.deferral.names:
            # The frame of `from module import name` is the importer's: only it gets placeholders.
            if sys._getframe(1).f_globals.get("__name__") == loader.deferral.importer:  # noqa: SLF001
                return Placeholder(self, name)
        elif name.startswith("__") and name != "__all__":  # the import system asks for `__path__`
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        load(self)
        return getattr(self, name)


def load(module: ModuleType) -> None:
    """Execute a delayed module, and replace its placeholders in the importer; otherwise do nothing."""
    with _lock:
        spec = module.__spec__
        if not spec or not isinstance(spec.loader, _Loader):
            return
        loader, spec.loader = spec.loader, spec.loader.real
        module.__loader__ = loader.real
        try:
            loader.real.exec_module(module)
        except BaseException:
            module.__loader__ = spec.loader = loader  # the next use tries again
            raise
        module.__class__ = ModuleType
        if importer := sys.modules.get(loader.deferral.importer):
            for name, value in list(vars(importer).items()):
                if isinstance(value, Placeholder) and value.module is module:
                    setattr(importer, name, getattr(module, value.name))


class Placeholder:
    """Takes the place of a function or a class until its first use."""

    def __init__(self, module: ModuleType, name: str) -> None:
        self.module, self.name = module, name

    def real(self) -> Any:
        """The object itself."""
        load(self.module)
        return getattr(self.module, self.name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: D102
        return self.real()(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real(), name)

    def __instancecheck__(self, instance: object) -> bool:
        return isinstance(instance, self.real())

    def __subclasscheck__(self, subclass: type) -> bool:
        return issubclass(subclass, self.real())

    def __mro_entries__(self, bases: tuple[type, ...]) -> tuple[type, ...]:
        return (self.real(),)
