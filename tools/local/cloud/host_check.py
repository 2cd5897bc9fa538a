"""What the local cloud needs of the machine."""

import platform
import socket
import sys

from tools.command import Failure
from tools.local.http.server import LOOPBACK

_CONNECT_TIMEOUT_S = 2.0


def check(system: str = sys.platform, machine: str = platform.machine()) -> None:
    """Check that the function's wheels run here.

    Raises:
        Failure: they do not; the message says what to use instead.
    """
    if system != "linux" or machine.lower() not in ("x86_64", "amd64"):
        raise Failure(
            f"the local cloud runs manylinux x86-64 wheels, and this is {system} on {machine}: "
            "use Linux x86-64 (WSL works); build-layers and deploy work here"
        )


def check_loopback() -> None:
    """Check that this machine can connect to itself.

    Raises:
        Failure: it cannot, as in a network namespace without interfaces.
    """
    try:
        with socket.create_server((LOOPBACK, 0)) as server:
            socket.create_connection(server.getsockname(), _CONNECT_TIMEOUT_S).close()
    except OSError as error:
        raise Failure(
            f"the loopback interface cannot be used ({error.strerror}): enable it with `ip link set lo up`"
        ) from None


def check_port(port: int) -> None:
    """Check that the Function URL can have this port, before the deployment and not after it.

    Raises:
        Failure: it is taken, or is no port.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or "ports end at 65535"
            raise Failure(f"port {port} cannot be used ({reason}): choose another with --port") from None
