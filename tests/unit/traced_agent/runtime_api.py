"""A Runtime API that keeps what is posted to it, byte for byte."""

import socket
import threading
from types import TracebackType
from typing import Self

ACCEPTED = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"


class RuntimeApi:
    """Takes one post.

    `hurry`: the bytes after which it closes the connection; `pace`: an event to wait for before each read.
    """

    def __init__(
        self, *, receipt: bytes = ACCEPTED, hurry: int | None = None, pace: threading.Event | None = None
    ) -> None:
        self.received = b""
        self._receipt, self._hurry, self._pace = receipt, hurry, pace
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.close()
        self._thread.join(5)

    @property
    def head(self) -> list[str]:
        """The request line and the headers."""
        return self.received.partition(b"\r\n\r\n")[0].decode().split("\r\n")

    @property
    def body(self) -> bytes:
        """What follows, in its chunks' framing."""
        return self.received.partition(b"\r\n\r\n")[2]

    def _serve(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        with connection:
            connection.settimeout(10)
            while b"\r\n0\r\n" not in self.received or not self.received.endswith(b"\r\n\r\n"):
                if self._pace:
                    self._pace.wait(10)
                data = connection.recv(65536)
                self.received += data
                if not data or (self._hurry is not None and len(self.received) >= self._hurry):
                    return
            connection.sendall(self._receipt)


def dechunked(body: bytes) -> bytes:
    """The payload of a chunked body."""
    payload = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        if not int(size, 16):
            break
        payload, body = payload + body[: int(size, 16)], body[int(size, 16) + 2 :]
    return payload
