"""The target for resolvers: its markers, wheel tags and Python version."""

import layers

VERSION = tuple(int(part) for part in layers.PYTHON.split("."))
FULL_VERSION = f"{layers.PYTHON}.0"
"""The oldest patch release: packages that need a later one are not locked."""

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
"""The marker environment of the function (PEP 508); it contains nothing of the machine that locks."""

PLATFORMS = (f"manylinux_2_17_{layers.ARCHITECTURE}", layers.PLATFORM)
"""Two names of the same platform; a wheel may have either."""

ABI = f"cp{VERSION[0]}{VERSION[1]}"
