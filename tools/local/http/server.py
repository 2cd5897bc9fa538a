"""The HTTP servers of the local cloud: threads, loopback, no Nagle, streams both ways, closed at once."""

import http
import socket
import socketserver
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Any, Self

LOOPBACK = "127.0.0.1"


class TooLarge(Exception):  # noqa: N818 - says what the body is
    """The request's body is over the limit that was asked of it."""


class Truncated(ConnectionError):  # noqa: N818 - as above
    """The request's body ended before it was whole."""


class HttpExchange(BaseHTTPRequestHandler):
    """One request and its response."""

    protocol_version = "HTTP/1.1"
    server: "_Sockets"
    trailers: dict[str, str]
    """What followed a chunked body, lower case, once that was read."""

    def setup(self) -> None:
        """Give the connection its time limit."""
        self.timeout = self.server.timeout_s  # type: ignore[misc]
        super().setup()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's word
        """Stay silent: the function's logs are what a person reads."""

    def _handle(self) -> None:
        self.trailers = {}
        self._unread = True
        self.route, _, self.query = self.path.partition("?")
        try:
            if self.headers.get("content-length", "0").isdecimal():
                self.server.respond(self)
            else:
                self._unreadable()
        except (ConnectionError, TimeoutError):
            self.close_connection = True
        if self._unread and self._has_body:
            self.close_connection = True

    def _unreadable(self) -> None:
        self.close_connection = True
        self.answer(400, b'{"message": "Bad Request"}')

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _handle  # noqa: N815

    @property
    def closing(self) -> threading.Event:
        """Set when the server stops: whoever hangs on purpose waits for it."""
        return self.server.closing

    @property
    def _chunked(self) -> bool:
        return "chunked" in self.headers.get("transfer-encoding", "").lower()

    @property
    def _has_body(self) -> bool:
        return self._chunked or self.headers.get("content-length", "0") != "0"

    def body(self, limit: int | None = None) -> bytes:
        """Read the request's body.

        Raises:
            TooLarge: it has more than `limit` bytes; the rest stays unread.
            Truncated: the client stopped in the middle.
        """
        whole = bytearray()
        for piece in self.pieces(limit):
            whole += piece
            if limit is not None and len(whole) > limit:
                raise TooLarge
        return bytes(whole)

    def pieces(self, limit: int | None = None) -> Iterator[bytes]:
        """Read the request's body as it comes."""
        if self._chunked:
            yield from self._chunks()
        else:
            size = int(self.headers.get("content-length") or 0)
            if limit is not None and size > limit:
                raise TooLarge
            if size:
                yield self._exactly(size)
        self._unread = False

    def _chunks(self) -> Iterator[bytes]:
        while size := self._size():
            yield self._exactly(size)
            self._exactly(2)
        while line := self._line().strip():
            name, _, value = line.decode("latin-1").partition(":")
            self.trailers[name.strip().lower()] = value.strip()

    def _size(self) -> int:
        try:
            return int(self._line().split(b";")[0], 16)
        except ValueError:
            raise Truncated from None

    def _line(self) -> bytes:
        line = self.rfile.readline(65537)
        if not line.endswith(b"\n"):
            raise Truncated
        return line

    def _exactly(self, size: int) -> bytes:
        data = self.rfile.read(size)
        if len(data) < size:
            raise Truncated
        return data

    def answer(
        self,
        status: int,
        body: bytes = b"",
        content_type: str = "application/json",
        headers: Mapping[str, str] | list[tuple[str, str]] = (),  # type: ignore[assignment]
    ) -> None:
        """Send a whole response, in one segment where it fits."""
        given = list(headers.items()) if isinstance(headers, Mapping) else list(headers)
        head = [("content-type", content_type), *given, ("content-length", str(len(body)))]
        self.wfile.write(self._head(status, head) + (b"" if self.command == "HEAD" else body))

    def begin(self, status: int, content_type: str, headers: list[tuple[str, str]] | None = None) -> None:
        """Send the head of a response whose body comes in `piece`s, if its status may have one."""
        self._bodiless = self.command == "HEAD" or status in (204, 304)
        framing = [] if self._bodiless else [("transfer-encoding", "chunked")]
        self.wfile.write(self._head(status, [("content-type", content_type), *(headers or []), *framing]))

    def piece(self, data: bytes) -> None:
        """Send some of the body, at once."""
        if data and not self._bodiless:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))

    def end(self) -> None:
        """Send the end of the body."""
        if not self._bodiless:
            self.wfile.write(b"0\r\n\r\n")

    def abort(self) -> None:
        """Close the connection without another byte, so that the client sees a break."""
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _head(self, status: int, headers: list[tuple[str, str]]) -> bytes:
        phrase = http.HTTPStatus(status).phrase if status in http.HTTPStatus._value2member_map_ else ""
        if self.close_connection:
            headers = [*headers, ("connection", "close")]
        lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in headers), "", ""]
        return "\r\n".join(lines).encode("latin-1", "replace")


class _Sockets(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, port: int, respond: Callable[[HttpExchange], None], timeout_s: float | None) -> None:
        self.respond, self.timeout_s = respond, timeout_s
        self.closing = threading.Event()
        self.connections: set[socket.socket] = set()
        super().__init__((LOOPBACK, port), HttpExchange)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # Nagle costs 40 ms and more a call
        self.connections.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        self.connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no event; anything else is a bug and is shown."""
        if not self.closing.is_set() and not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class HttpServer:
    """A server on loopback: bound when made, serving inside `with`, gone after it with its connections."""

    def __init__(
        self, respond: Callable[[HttpExchange], None], *, port: int = 0, timeout_s: float | None = None
    ) -> None:
        """`timeout_s`: how long a client may keep a connection waiting.

        Raises:
            OSError: the port is taken.
        """
        self._sockets = _Sockets(port, respond, timeout_s)
        self.port: int = self._sockets.server_address[1]
        self.address = f"{LOOPBACK}:{self.port}"
        self.url = f"http://{self.address}"

    @property
    def closing(self) -> threading.Event:
        """Set when the server stops."""
        return self._sockets.closing

    def start(self) -> None:
        """Serve, until `stop`."""
        threading.Thread(target=self._sockets.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Close the port and every connection."""
        self.closing.set()
        self._sockets.shutdown()
        self._sockets.server_close()
        for connection in list(self._sockets.connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:  # it was gone already
                continue

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
