"""Closes connections that have been idle for long, and detects lost ones.

Lambda freezes the environment between requests. A peer or a NAT gateway may drop an idle connection meanwhile
without the function seeing it. A request that is sent over it gets no response, and is sent again only after
the read timeout, a minute for the model.
"""

import socket
import time
from collections.abc import Callable, Collection
from typing import Any, Self

MAX_IDLE_S = 30.0
"""Below the idle timeouts of AWS's load balancers (60 s) and NAT gateways (350 s)."""

LOST_AFTER_MS = 10_000
"""How long sent data may stay without an acknowledgement of the peer."""


def detect_lost_connections(client: Any, lost_after_ms: int = LOST_AFTER_MS) -> None:
    """Let Linux close a connection whose peer acknowledges nothing, so that botocore sends the request again.

    Without this the request waits for the read timeout. A slow model is not affected: it has acknowledged the
    request (TCP_USER_TIMEOUT, https://www.rfc-editor.org/rfc/rfc5482). botocore has no public setting for it.
    """
    options = getattr(client._endpoint.http_session, "_socket_options", None)  # noqa: SLF001
    if isinstance(options, list) and hasattr(socket, "TCP_USER_TIMEOUT"):
        options.append((socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, lost_after_ms))


class IdleConnections:
    """The connections of boto3 clients; a context manager around each use of them."""

    def __init__(self, clients: Collection[Any] = (), *, clock: Callable[[], float] = time.time) -> None:
        """Take the clients, which may grow, and the clock.

        Args:
            clients: the boto3 clients.
            clock: continues while the environment is frozen, as the wall clock does.
        """
        self._clients = clients
        self._clock = clock
        self._used = clock()

    def __enter__(self) -> Self:
        if self._clock() - self._used > MAX_IDLE_S:
            for client in list(self._clients):
                client.close()  # botocore opens new connections afterwards
        return self

    def __exit__(self, *_error: object) -> None:
        self._used = self._clock()
