"""One invocation, from its payload to the last byte of its response."""

import threading
import uuid
from collections import deque
from collections.abc import Iterator
from typing import Any

FunctionError = dict[str, Any]
"""AWS's error object: errorType, errorMessage, and what else the runtime says."""


class Invocation:
    """The request that an environment serves, and how it ended or goes on."""

    def __init__(self, payload: bytes) -> None:
        self.request_id = str(uuid.uuid4())
        self.event = payload
        self.content_type = ""
        self.streamed = False
        """Whether the function answered in the Runtime API's streaming mode."""
        self._error: FunctionError | None = None
        self._pieces: deque[bytes] = deque()
        self._payload: bytes | None = None
        self._begun = self._ended = False
        self._news = threading.Condition()

    def begin(self, content_type: str, *, streamed: bool) -> None:
        """The function starts to answer."""
        with self._news:
            self.content_type, self.streamed, self._begun = content_type, streamed, True
            self._news.notify_all()

    def write(self, piece: bytes) -> None:
        """The function says more."""
        with self._news:
            self._pieces.append(piece)
            self._news.notify_all()

    def finish(self, error: FunctionError | None = None) -> None:
        """The answer is whole, or there is none or no more; the first to say so is believed."""
        with self._news:
            if not self._ended:
                self._error, self._begun, self._ended = error, True, True
                self._news.notify_all()

    @property
    def ended(self) -> bool:
        """Whether there will be no more of an answer."""
        return self._ended

    def wait(self) -> None:
        """Wait for the answer, or its beginning."""
        with self._news:
            self._news.wait_for(lambda: self._begun)

    def chunks(self) -> Iterator[bytes]:
        """The response as it comes; to be read once."""
        while True:
            with self._news:
                self._news.wait_for(lambda: self._pieces or self._ended)
                if not self._pieces:
                    return
                piece = self._pieces.popleft()
            yield piece

    @property
    def payload(self) -> bytes:
        """The whole response; waits for the end of a streamed one."""
        if self._payload is None:
            self._payload = b"".join(self.chunks())
        return self._payload

    @property
    def error(self) -> FunctionError | None:
        """What went wrong, if something did; waits for the end of a streamed response."""
        with self._news:
            self._news.wait_for(lambda: self._ended)
        return self._error


def failure(kind: str, message: str, request_id: str = "") -> FunctionError:
    """An error of the platform, in AWS's form."""
    prefix = f"RequestId: {request_id} Error: " if request_id else ""
    return {"errorType": kind, "errorMessage": prefix + message}
