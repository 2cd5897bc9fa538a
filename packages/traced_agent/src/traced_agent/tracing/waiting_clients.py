"""Activates Langfuse clients that the user's modules create before the keys are known.

With the keys in Secrets Manager, `Langfuse(mask=...)` at the top of a module finds no keys: the SDK creates a
disabled client and forgets its arguments. Here its arguments are kept, and the client is created again, in
place, when the keys have been read.
"""

import functools
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any, Final

_MODULE: Final = "langfuse._client.client"

_waiting: list[tuple[Any, dict[str, Any], Callable[..., None]]] = []
"""Each disabled client, its arguments, and the SDK's own `__init__`."""


def watch() -> None:
    """Record the clients that are created without keys from now on; does not import the SDK."""
    if _MODULE in sys.modules:
        _record_clients(sys.modules[_MODULE])
    else:
        sys.meta_path.insert(0, _Finder())


def activate(**keys: str) -> None:
    """Create the recorded clients again, with these arguments in addition to their own."""
    while _waiting:
        client, arguments, create = _waiting.pop(0)
        create(client, **{**arguments, **keys})


class _Finder:
    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find the SDK's client module as Python does, and record its clients once it is loaded."""
        if name != _MODULE:
            return None
        sys.meta_path.remove(self)
        spec = PathFinder.find_spec(name, path, target)
        if spec and spec.loader:
            load = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                load(module)
                _record_clients(module)

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def _record_clients(module: ModuleType) -> None:
    create = module.Langfuse.__init__

    @functools.wraps(create)
    def __init__(self: Any, **arguments: Any) -> None:  # noqa: N807
        create(self, **arguments)
        if getattr(self, "_resources", None) is None:
            _waiting.append((self, arguments, create))

    module.Langfuse.__init__ = __init__
