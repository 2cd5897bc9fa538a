"""One invocation, from its payload to the last byte of its response."""

import re
import threading
import time
import uuid
from collections import deque
from collections.abc import Iterator
from typing import Any

FunctionError = dict[str, Any]
"""AWS's error object: errorType, errorMessage, and what else the runtime sends."""


_TRACE_ROOT = re.compile(r"Root=(1-[0-9a-f]{8}-[0-9a-f]{24})(?:;|$)")


def new_trace_root(header: str = "") -> str:
    """The root of a caller's X-Amzn-Trace-Id, or a new one if it gave none.

    https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader
    """
    given = _TRACE_ROOT.search(header)
    return given[1] if given else f"1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]}"


class Invocation:
    """The request that an environment serves, and its response."""

    def __init__(self, payload: bytes, *, trace_root: str = "") -> None:
        self.request_id = str(uuid.uuid4())
        self._trace_root = trace_root or new_trace_root()
        self._span = uuid.uuid4().hex[:16]
        self.event = payload
        self.content_type = ""
        self.streamed = False
        """Whether the function answered in the Runtime API's streaming mode."""
        self._error: FunctionError | None = None
        self._pieces: deque[bytes] = deque()
        self._payload: bytes | None = None
        self._begun = self._ended = False
        self._changed = threading.Condition()

    def trace_header(self, *, sampled: bool) -> str:
        """Its X-Amzn-Trace-Id."""
        return f"Root={self._trace_root};Parent={self._span};Sampled={int(sampled)}"

    def begin(self, content_type: str, *, streamed: bool) -> None:
        """The response starts."""
        with self._changed:
            self.content_type, self.streamed, self._begun = content_type, streamed, True
            self._changed.notify_all()

    def write(self, piece: bytes) -> None:
        """Add to the response."""
        with self._changed:
            self._pieces.append(piece)
            self._changed.notify_all()

    def finish(self, error: FunctionError | None = None) -> None:
        """The response is complete, or failed; only the first call counts."""
        with self._changed:
            if not self._ended:
                self._error, self._begun, self._ended = error, True, True
                self._changed.notify_all()

    @property
    def ended(self) -> bool:
        """Whether the response is complete or failed."""
        return self._ended

    def wait(self) -> None:
        """Wait until the response starts or fails."""
        with self._changed:
            self._changed.wait_for(lambda: self._begun)

    def chunks(self) -> Iterator[bytes]:
        """The response as it comes; to be read once."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._pieces or self._ended)
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
        with self._changed:
            self._changed.wait_for(lambda: self._ended)
        return self._error


def failure(kind: str, message: str, request_id: str = "") -> FunctionError:
    """An error of the platform, in AWS's form."""
    prefix = f"RequestId: {request_id} Error: " if request_id else ""
    return {"errorType": kind, "errorMessage": prefix + message}
