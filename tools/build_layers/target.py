"""The target as pip sees it: what markers, wheel tags and Requires-Python are judged by.

pip-compile judges all three by the interpreter that runs it, whatever `--platform` says
(https://github.com/pypa/pip/issues/11664), so a lock taken on another system would be another lock.
"""

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import layers

VERSION = tuple(int(part) for part in layers.PYTHON.split("."))
FULL_VERSION = f"{layers.PYTHON}.0"
"""The oldest patch release: what needs a later one is not locked."""

MARKERS = {
    "implementation_name": "cpython",
    "implementation_version": FULL_VERSION,
    "os_name": "posix",
    "platform_machine": layers.ARCHITECTURE,
    "platform_python_implementation": "CPython",
    "platform_release": "",
    "platform_system": "Linux",
    "platform_version": "",
    "python_full_version": FULL_VERSION,
    "python_version": layers.PYTHON,
    "sys_platform": "linux",
}
"""The marker environment of the function (PEP 508), with nothing in it of the machine that locks."""

PLATFORMS = (f"manylinux_2_17_{layers.ARCHITECTURE}", layers.PLATFORM)
"""One and the same by two names; wheels may bear either."""


@contextmanager
def pip_for_target() -> Iterator[None]:
    """Make this process's pip resolve for the target, from its one index and no other source.

    Local wheel directories and extra indexes of the machine are left out: what they hold is not what others
    would get.
    """
    from pip._internal.commands.install import InstallCommand
    from pip._internal.models.target_python import TargetPython

    build_finder = InstallCommand._build_package_finder  # noqa: SLF001
    make_resolver = functools.partial(InstallCommand.make_resolver, py_version_info=VERSION)
    python = TargetPython(list(PLATFORMS), VERSION, [f"cp{VERSION[0]}{VERSION[1]}"], "cp")

    def target_finder(self: InstallCommand, options: Any, session: Any, **_: Any) -> Any:
        options.find_links, options.extra_index_urls = [], []
        return build_finder(self, options, session, target_python=python)

    with (
        mock.patch("pip._vendor.packaging.markers.default_environment", lambda: dict(MARKERS)),
        mock.patch.object(InstallCommand, "_build_package_finder", target_finder),
        mock.patch.object(InstallCommand, "make_resolver", staticmethod(make_resolver)),
    ):
        yield
