"""What the local cloud can run on."""

import platform
import sys

from tools.command import Failure


def check(system: str = sys.platform, machine: str = platform.machine()) -> None:
    """Refuse where the function's wheels do not run.

    Raises:
        Failure: what to use instead.
    """
    if system != "linux" or machine.lower() not in ("x86_64", "amd64"):
        raise Failure(
            f"the local cloud runs manylinux x86-64 wheels, and this is {system} on {machine}: "
            "use Linux x86-64 (WSL serves); build-layers and deploy work here"
        )
