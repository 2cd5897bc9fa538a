"""The target for installers: markers, wheel tags and Python version of the Lambda function.

All of it is derived from the catalogue's Python version, glibc version and architectures.
"""

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import layers

VERSION = tuple(int(part) for part in layers.PYTHON.split("."))
FULL_VERSION = f"{layers.PYTHON}.0"
"""The oldest patch release: packages that need a later one are not locked."""

ABI = f"cp{VERSION[0]}{VERSION[1]}"
EXTENSION = f"cpython-{VERSION[0]}{VERSION[1]}"
"""The part of the file names of extension modules and of bytecode that names the interpreter."""


def markers(architecture: str = layers.ARCHITECTURE) -> dict[str, str]:
    """The marker environment of the function (PEP 508); it contains nothing of the machine that locks."""
    return {
        "implementation_name": "cpython",
        "implementation_version": FULL_VERSION,
        "os_name": "posix",
        "platform_machine": layers.MACHINES[architecture],
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": FULL_VERSION,
        "python_version": layers.PYTHON,
        "sys_platform": "linux",
    }


def platforms(architecture: str, oldest: int, newest: int) -> list[str]:
    """The platform tags from glibc 2.`oldest` to 2.`newest`, the newest first, with the older names."""
    machine = layers.MACHINES[architecture]
    names = {17: ("manylinux2014",), 12: ("manylinux2010",), 5: ("manylinux1",)}
    return [
        f"{name}_{machine}"
        for minor in range(newest, oldest - 1, -1)
        for name in (f"manylinux_2_{minor}", *names.get(minor, ()))
    ]


def tags(
    packaging_tags: ModuleType, architecture: str = layers.ARCHITECTURE, *, newer: bool = True
) -> list[Any]:
    """The wheel tags that the function can import, in order of preference.

    Every tag of manylinux2014 or older comes before the tags of newer platforms, so a newer platform is only
    used by a package that has no other wheel.

    Args:
        packaging_tags: `packaging.tags`, or the copy of it that is used with the result.
        architecture: Lambda's name of the architecture.
        newer: whether platforms newer than manylinux2014 are allowed.
    """
    oldest_allowed, (_, newest) = 5, layers.GLIBC
    found = list(_tags(packaging_tags, platforms(architecture, oldest_allowed, layers.SHIPPED_GLIBC[1])))
    if newer:
        found += _tags(packaging_tags, platforms(architecture, layers.SHIPPED_GLIBC[1] + 1, newest))
    return list(dict.fromkeys(found))


def _tags(packaging_tags: ModuleType, names: list[str]) -> Iterator[Any]:
    yield from packaging_tags.cpython_tags(VERSION, [ABI], names)
    yield from packaging_tags.compatible_tags(VERSION, ABI, names)


def needed_glibc(wheel_tags: Any, architecture: str = layers.ARCHITECTURE) -> tuple[int, int] | None:
    """The oldest glibc that a wheel with these tags needs; None if it needs no glibc."""
    every = range(layers.GLIBC[1] + 1)
    minors = {name: minor for minor in every for name in platforms(architecture, minor, minor)}
    names = {tag.platform for tag in wheel_tags}
    if "any" in names:
        return None
    return min(((2, minors[name]) for name in names if name in minors), default=None)
