"""Keeps a connection from one export to the next, because a TLS handshake takes longer than an export."""

import os
import select
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from traced_agent.tracing.export_attempt import ExportAttempt
from traced_agent.tracing.http_connection import Connection, open_connection

_MAX_IDLE_S: Final = 60.0
"""Servers and load balancers close an idle connection after about a minute, some without a notice."""


class IdleConnection:
    """At most one open connection to one endpoint.

    The environment may have been frozen since the last export, and the server may have closed the connection
    meanwhile: it is checked before it is used again.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock  # the wall clock: it counts the time in which the environment was frozen
        self._kept: deque[tuple[Connection, float]] = deque(maxlen=1)  # its operations are thread-safe

    @contextmanager
    def connected(
        self, url: str, attempt: ExportAttempt, environ: Mapping[str, str] = os.environ
    ) -> Iterator[Connection]:
        """The kept connection, or a new one; it is kept again if no exception is raised."""
        connection = self._take(attempt) or open_connection(url, attempt, environ)
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        if connection.sock is not None:  # None: the server closes it after its response
            self._kept.append((connection, self._clock()))

    def _take(self, attempt: ExportAttempt) -> Connection | None:
        try:
            connection, since = self._kept.pop()
        except IndexError:
            return None
        if self._clock() - since < _MAX_IDLE_S and _is_open(connection):
            connection.use(attempt)
            return connection
        connection.close()
        return None


def _is_open(connection: Connection) -> bool:
    """Whether nothing is to be read: an idle connection is readable only when the server has closed it."""
    try:
        return not select.select([connection.sock], [], [], 0)[0]
    except (OSError, ValueError):  # closed here, or a descriptor that is too high for select
        return False
