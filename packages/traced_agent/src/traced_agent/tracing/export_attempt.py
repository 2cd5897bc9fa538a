"""One export of spans that is under way, and the errors that end it."""

import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from opentelemetry.sdk.trace import ReadableSpan

from traced_agent.tracing.spans import SpanKey, span_key


class ExportError(Exception):
    """The endpoint did not accept the spans; they can be sent again."""


class BusyError(ExportError):
    """The endpoint cannot be reached, or reports a temporary error."""


class RateLimitedError(ExportError):
    """The endpoint asks for a pause: 429, or a temporary error with `Retry-After`."""

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        """Seconds until the next request may be sent."""


class UnauthorizedError(ExportError):
    """The endpoint rejected the credentials."""


class RefusedError(ExportError):
    """The endpoint does not accept this request, and will not accept it later either."""


class ExportAttempt:
    """One export: its spans, its time limit, and the result for each span.

    Two threads use it: one sends, the other waits for `budget_s` seconds and then calls `abort`.
    """

    def __init__(
        self, spans: Sequence[ReadableSpan], budget_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.spans = list(spans)
        self.sent: set[SpanKey] = set()
        self.filtered: set[SpanKey] = set()
        """Spans that the filter of the backend's SDK leaves out: done, but not sent."""
        self.refused: dict[SpanKey, str] = {}
        """Spans that the backend does not accept, and its reason."""
        self.rejected: str | None = None
        """The backend's message, if it accepted a batch but not all of its spans."""
        self.error: str | None = None
        """Why the pending spans were not sent, in one line."""
        self.permanent_error: str | None = None
        """Why the pending spans can never be sent, in one line."""
        self.retry_after_s = 0.0
        """The backend's `Retry-After` in seconds."""
        self.aborted = False
        """Whether the connection was closed by `abort`: a response that ends then is incomplete."""
        self._clock = clock
        self._deadline = clock() + budget_s
        self._socket: socket.socket | None = None

    @property
    def pending(self) -> list[ReadableSpan]:
        """The spans that have no result yet."""
        done = self.sent | self.filtered | self.refused.keys()
        return [span for span in self.spans if span_key(span) not in done]

    def remaining_s(self) -> float:
        """Seconds until the time limit.

        Raises:
            ExportError: there is no time left.
        """
        remaining = self._deadline - self._clock()
        if remaining <= 0 or self.aborted:
            raise ExportError("the time for the export was over")
        return remaining

    def use_socket(self, connection: socket.socket) -> None:
        """Remember the socket that is in use, so that `abort` can shut it down."""
        self._socket = connection
        if self.aborted:
            self.abort()

    def abort(self) -> None:
        """Shut the socket down, so that a thread that waits for it continues. Callable from any thread."""
        self.aborted = True
        if self._socket is not None:
            with suppress(OSError):  # closed already
                self._socket.shutdown(socket.SHUT_RDWR)
