"""One request and its response, over a connection whose HTTP is parsed and written by h11.

https://h11.readthedocs.io
"""

import contextlib
import http
import socket
import threading
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit
from wsgiref.headers import Headers

import h11

MAX_HEADERS = 100
"""More headers in one request are rejected with 431."""

_READ_BYTES = 65536
_BODILESS = (204, 304)

HeaderList = list[tuple[str, str]]


class TooLarge(Exception):  # noqa: N818 - says what the body is
    """The request's body is over the limit that was given."""


class Truncated(ConnectionError):  # noqa: N818 - says what the body is
    """The request's body ended before it was complete."""


class HttpExchange:
    """One request and its response.

    `path` and `query` are as they came over the wire, still percent-encoded. `headers` is not case-sensitive.
    """

    def __init__(
        self, sock: socket.socket, connection: h11.Connection, request: h11.Request, closing: threading.Event
    ) -> None:
        """Take over a connection on which the head of a request was read.

        Raises:
            ValueError: the request target is neither a path nor a URL.
        """
        if request.method == b"CONNECT":
            raise ValueError("this server is no proxy")
        self._socket, self._connection = sock, connection
        self.closing = closing
        """Set when the server stops; a fault that hangs waits for it."""
        self.method = request.method.decode("ascii")
        self.http_version = f"HTTP/{request.http_version.decode('ascii')}"
        self.path, self.query = _split(request.target.decode("latin-1"))
        decoded = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers]
        self.headers = Headers(decoded)
        self.trailers: dict[str, str] = {}
        """What followed a chunked body, names in lower case, once the body was read."""
        self.client_address: str = sock.getpeername()[0]
        self._bodiless = False
        self._event = connection.next_event()
        """The next part of the request that was not used yet; `NEED_DATA` where it is still to come."""

    def body(self, limit: int | None = None) -> bytes:
        """Read the request's body.

        Raises:
            TooLarge: it has more than `limit` bytes; the rest stays unread.
            Truncated: the client stopped in the middle.
        """
        if limit is not None and int(self.headers.get("content-length") or 0) > limit:
            raise TooLarge
        whole = bytearray()
        for piece in self.pieces():
            whole += piece
            if limit is not None and len(whole) > limit:
                raise TooLarge
        return bytes(whole)

    def pieces(self) -> Iterator[bytes]:
        """Read the request's body as it comes.

        Raises:
            Truncated: the client stopped in the middle.
        """
        while True:
            event, self._event = self._event, h11.NEED_DATA
            if event is h11.NEED_DATA:
                event = self._receive()
            if isinstance(event, h11.EndOfMessage):
                self._event = event
                self.trailers = {name.decode(): value.decode("latin-1") for name, value in event.headers}
                return
            if not isinstance(event, h11.Data):
                raise Truncated
            yield bytes(event.data)

    def _receive(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        """The next part of the request, read from the socket if it is not here yet."""
        try:
            while (event := self._connection.next_event()) is h11.NEED_DATA:
                if self._connection.they_are_waiting_for_100_continue:
                    proceed = h11.InformationalResponse(status_code=100, headers=[])
                    self._socket.sendall(self._connection.send(proceed) or b"")
                self._connection.receive_data(self._socket.recv(_READ_BYTES))
        except h11.RemoteProtocolError:
            raise Truncated from None
        return event

    def answer(
        self,
        status: int,
        body: bytes = b"",
        content_type: str = "application/json",
        headers: Mapping[str, str] | HeaderList = (),  # type: ignore[assignment]
    ) -> None:
        """Send a complete response, in one segment if it fits."""
        given = list(headers.items()) if isinstance(headers, Mapping) else list(headers)
        head = self._head(
            status, [("content-type", content_type), *given, ("content-length", str(len(body)))]
        )
        self._socket.sendall(head + (b"" if self._bodiless else self._data(body)) + self._end())

    def begin(self, status: int, content_type: str, headers: HeaderList | None = None) -> None:
        """Send the head of a response whose body follows in calls of `piece`."""
        self._socket.sendall(self._head(status, [("content-type", content_type), *(headers or [])]))

    def piece(self, data: bytes) -> None:
        """Send a part of the body at once; nothing if the response cannot have a body."""
        if data and not self._bodiless:
            self._socket.sendall(self._data(data))

    def end(self) -> None:
        """Send the end of the body."""
        self._socket.sendall(self._end())

    def abort(self) -> None:
        """Close the connection without another byte, so that the client sees an incomplete response."""
        self._connection.send_failed()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    @property
    def request_complete(self) -> bool:
        """Whether the whole request was read."""
        return isinstance(self._event, h11.EndOfMessage)

    @property
    def client_gone(self) -> bool:
        """Whether the client closed the connection on which it waits."""
        try:
            return not self._socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def _head(self, status: int, headers: HeaderList) -> bytes:
        self._bodiless = self.method == "HEAD" or status in _BODILESS
        if not self.request_complete:
            headers = [*headers, ("connection", "close")]
        encoded = [(name.encode("ascii"), _value(value)) for name, value in headers]
        response = h11.Response(status_code=status, headers=encoded, reason=phrase(status))
        return self._connection.send(response) or b""

    def _data(self, data: bytes) -> bytes:
        return self._connection.send(h11.Data(data=data)) or b"" if data else b""

    def _end(self) -> bytes:
        return self._connection.send(h11.EndOfMessage()) or b""


def phrase(status: int) -> str:
    """The reason phrase of a status; empty for a status that has none."""
    return http.HTTPStatus(status).phrase if status in http.HTTPStatus._value2member_map_ else ""


def _split(target: str) -> tuple[str, str]:
    """The path and query of a request target, which may be a whole URL (RFC 9112, section 3.2.2)."""
    if target.startswith("/") or "://" not in target:
        path, _, query = target.partition("?")
        return path, query
    url = urlsplit(target)
    return url.path or "/", url.query


def _value(value: str) -> bytes:
    return value.strip().encode("latin-1", "replace")
