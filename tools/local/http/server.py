"""An HTTP/1 server on loopback: one thread per connection, h11 for the protocol, no delayed segments.

Servers of frameworks do not fit: the local cloud must close a connection in the middle of a response, read
and write one exchange at the same time, and stop at once with all its connections.
"""

import contextlib
import json
import socket
import socketserver
import ssl
import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import h11

from tools.local.http.exchange import MAX_HEADERS, HttpExchange, phrase

LOOPBACK = "127.0.0.1"

Respond = Callable[[HttpExchange], None]

_MAX_HEAD = 65536
"""Bytes of a request's head; more are rejected with 431."""

_LINGER_S = 2.0
"""How long a client may still send a body that is not read, before its connection is reset."""


class HttpServer:
    """A server on loopback: it binds its port when created and serves inside `with`."""

    def __init__(
        self,
        respond: Respond,
        *,
        port: int = 0,
        timeout_s: float | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`timeout_s`: how long a client may keep a connection waiting; `tls`: serve HTTPS with it.

        Raises:
            OSError: the port is taken.
        """
        self._sockets = _Sockets(port, respond, timeout_s, tls)
        self.port: int = self._sockets.server_address[1]
        self.address = f"{LOOPBACK}:{self.port}"
        self.url = f"{'https' if tls else 'http'}://{self.address}"

    @property
    def closing(self) -> threading.Event:
        """Set when the server stops."""
        return self._sockets.closing

    def start(self) -> None:
        """Serve until `stop`."""
        threading.Thread(target=self._sockets.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Close the port and every connection."""
        self.closing.set()
        self._sockets.shutdown()
        self._sockets.server_close()
        for connection in list(self._sockets.connections):
            with contextlib.suppress(OSError):  # it is closed already
                connection.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class _Connection(socketserver.BaseRequestHandler):
    """Reads requests from one connection and has each of them answered."""

    server: "_Sockets"

    def handle(self) -> None:
        """Serve until one side closes the connection."""
        self.request.settimeout(self.server.timeout_s)
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=_MAX_HEAD)
        with contextlib.suppress(ConnectionError, TimeoutError):
            while self._serve_one(connection):
                connection.start_next_cycle()

    def _serve_one(self, connection: h11.Connection) -> bool:
        """Answer the next request; returns whether the connection can be used again."""
        try:
            if not (request := self._next_request(connection)):
                return False
            exchange = HttpExchange(self.request, connection, request, self.server.closing)
        except h11.RemoteProtocolError as error:
            return self._reject(connection, error.error_status_hint)
        except ValueError:
            return self._reject(connection, 400)
        if len(request.headers) > MAX_HEADERS or _size(request) > _MAX_HEAD:
            return self._reject(connection, 431)
        self.server.respond(exchange)
        if not exchange.request_complete:
            self._linger()
        return connection.our_state is h11.DONE and connection.their_state is h11.DONE

    def _next_request(self, connection: h11.Connection) -> h11.Request | None:
        while (event := connection.next_event()) is h11.NEED_DATA:
            connection.receive_data(self.request.recv(65536))
        return event if isinstance(event, h11.Request) else None

    def _reject(self, connection: h11.Connection, status: int) -> bool:
        body = json.dumps({"message": phrase(status)}).encode()
        headers = [("content-type", "application/json"), ("content-length", str(len(body)))]
        headers.append(("connection", "close"))
        response = h11.Response(status_code=status, headers=headers, reason=phrase(status))
        events = (response, h11.Data(data=body), h11.EndOfMessage())
        self.request.sendall(b"".join(connection.send(event) or b"" for event in events))
        self._linger()
        return False

    def _linger(self) -> None:
        """Read what the client still sends: closing with unread bytes would reset the connection.

        The client then could not read the response (RFC 9112, section 9.6).
        """
        with contextlib.suppress(OSError):
            self.request.shutdown(socket.SHUT_WR)
            self.request.settimeout(_LINGER_S)
            until = time.monotonic() + _LINGER_S
            while self.request.recv(65536) and time.monotonic() < until:
                continue


class _Sockets(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    block_on_close = False
    request_queue_size = 256

    def __init__(
        self, port: int, respond: Respond, timeout_s: float | None, tls: ssl.SSLContext | None
    ) -> None:
        self.respond, self.timeout_s, self._tls = respond, timeout_s, tls
        self.closing = threading.Event()
        self.connections: set[socket.socket] = set()
        super().__init__((LOOPBACK, port), _Connection)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # Nagle costs 40 ms and more a call
        if self._tls:  # The handshake is part of the first read, in the connection's own thread.
            connection = self._tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        self.connections.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        self.connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that closes its connection is no error; anything else is a bug and is shown."""
        if not self.closing.is_set() and not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


def _size(request: h11.Request) -> int:
    return sum(len(name) + len(value) for name, value in request.headers)


def free_port() -> int:
    """A port on loopback that is free at this moment."""
    with socket.socket() as found:
        found.bind((LOOPBACK, 0))
        return int(found.getsockname()[1])
