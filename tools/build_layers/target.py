"""The target as installers see it: what markers, wheel tags and Requires-Python are judged by."""

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
"""One and the same by two names; a wheel may bear either."""

ABI = f"cp{VERSION[0]}{VERSION[1]}"
