"""Sends spans to an OTLP/HTTP endpoint, and records for each span whether it arrived.

OpenTelemetry's own exporter reports one result for a whole batch, counts a redirect or an HTML page as a
success, and its timeout applies to one read. So OpenTelemetry encodes the spans and this module posts them.
"""

import gzip
import http.client
import math
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Final

from opentelemetry.sdk.trace import ReadableSpan

from traced_agent.tracing.export_attempt import (
    BusyError,
    ExportAttempt,
    ExportError,
    RateLimitedError,
    UnauthorizedError,
)
from traced_agent.tracing.http_connection import open_connection, request_target
from traced_agent.tracing.otlp_encoding import encode, partial_success, shorten
from traced_agent.tracing.spans import span_key

_BATCH: Final = 128
"""Spans per request."""

_READ: Final = 65_536
"""Bytes of a response that are read."""

_DEFAULT_RETRY_AFTER_S: Final = 5.0
"""The pause after a 429 without a valid `Retry-After`."""

_MAX_RETRY_AFTER_S: Final = 300.0
"""The longest pause that a backend can ask for."""


@dataclass(frozen=True)
class OtlpResponse:
    """A response of the endpoint."""

    status: int
    content_type: str
    body: bytes
    retry_after: str = ""
    """The header `Retry-After`: seconds, or an HTTP date."""

    @property
    def accepted(self) -> bool:
        """Whether it is a success in the sense of OTLP: 2xx, and not an HTML page."""
        return 200 <= self.status < 300 and "html" not in self.content_type

    @property
    def summary(self) -> str:
        """One line for the log."""
        if "html" in self.content_type:
            return f"{self.status}: a page of HTML"
        return f"{self.status}: {' '.join(self.body[:200].decode(errors='replace').split())}"

    @property
    def retry_after_s(self) -> float | None:
        """Seconds to wait before the next request; None if the backend does not ask for a pause."""
        try:
            seconds = float(self.retry_after)
        except ValueError:
            seconds = _seconds_until(self.retry_after)
        if math.isfinite(seconds):
            return min(max(seconds, 0.0), _MAX_RETRY_AFTER_S)
        return _DEFAULT_RETRY_AFTER_S if self.status == 429 else None

    @property
    def rejected(self) -> str | None:
        """The message about spans that an accepting backend rejects; None if there are none."""
        return partial_success(self.body) if self.body and "protobuf" in self.content_type else None


@dataclass(frozen=True)
class OtlpClient:
    """A client for one OTLP/HTTP traces endpoint."""

    url: str
    headers: Mapping[str, str] = field(repr=False)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)

    def send(self, spans: Sequence[ReadableSpan], attempt: ExportAttempt) -> None:
        """Send the spans in batches, and record the result of each in `attempt`.

        Raises:
            UnauthorizedError: 401 or 403.
            ExportError: the endpoint cannot be reached, is too slow or fails; the rest can be sent again.
        """
        connection = open_connection(self.url, attempt, self.environ)
        try:
            for start in range(0, len(spans), _BATCH):
                self._send_batch(spans[start : start + _BATCH], attempt, connection)
        finally:
            connection.close()

    def post(self, body: bytes, attempt: ExportAttempt) -> OtlpResponse:
        """Post one encoded request and return the response.

        Raises:
            ExportError: the endpoint cannot be reached or is too slow.
        """
        connection = open_connection(self.url, attempt, self.environ)
        try:
            return self._post(body, attempt, connection)
        finally:
            connection.close()

    def _send_batch(
        self, spans: Sequence[ReadableSpan], attempt: ExportAttempt, connection: http.client.HTTPConnection
    ) -> None:
        response = self._encode_and_post(spans, attempt, connection)
        if response.accepted:
            attempt.sent.update(map(span_key, spans))
            attempt.rejected = attempt.rejected or response.rejected
        elif response.status in (400, 413, 422) and len(spans) > 1:
            half = len(spans) // 2
            self._send_batch(spans[:half], attempt, connection)
            self._send_batch(spans[half:], attempt, connection)
        elif response.status == 413 and (shorter := shorten(spans[0])) is not None:
            self._send_batch([shorter], attempt, connection)
        elif response.status in (400, 413, 422):
            attempt.refused[span_key(spans[0])] = response.summary
        else:
            raise self._error(response)

    def _error(self, response: OtlpResponse) -> ExportError:
        if response.status in (401, 403):
            return UnauthorizedError(f"{self.url} does not accept the credentials: {response.summary}")
        if response.status == 429 or response.status >= 500:
            message = f"{self.url} answered {response.summary}"
            pause_s = response.retry_after_s
            return BusyError(message) if pause_s is None else RateLimitedError(message, pause_s)
        return ExportError(f"{self.url} is not an OTLP endpoint: it answered {response.summary}")

    def _encode_and_post(
        self, spans: Sequence[ReadableSpan], attempt: ExportAttempt, connection: http.client.HTTPConnection
    ) -> OtlpResponse:
        try:
            body = encode(spans)
        except Exception as error:  # noqa: BLE001 - an attribute that the protocol cannot hold, for example
            return OtlpResponse(400, "", f"it cannot be encoded ({type(error).__name__})".encode())
        return self._post(body, attempt, connection)

    def _post(
        self, body: bytes, attempt: ExportAttempt, connection: http.client.HTTPConnection
    ) -> OtlpResponse:
        try:
            connection.timeout = attempt.remaining_s()
            target = request_target(self.url, connection)
            connection.request("POST", target, gzip.compress(body, 6), dict(self.headers))
            response = connection.getresponse()
            body = response.read(_READ)
            if attempt.aborted or (response.length and len(body) < _READ):
                raise http.client.IncompleteRead(body)
            if not response.isclosed():
                connection.close()  # the rest of the response is not read
        except (OSError, http.client.HTTPException) as error:
            attempt.remaining_s()
            raise BusyError(f"{self.url} cannot be reached: {error or type(error).__name__}") from None
        except ValueError:  # its message quotes the value
            raise ExportError(f"{self.url} got no request: a header's value has invalid characters") from None
        headers = response.headers
        return OtlpResponse(
            response.status, headers.get("Content-Type", "").lower(), body, headers.get("Retry-After", "")
        )


def _seconds_until(http_date: str) -> float:
    try:
        return parsedate_to_datetime(http_date).timestamp() - time.time()
    except (ValueError, OverflowError):  # not a date
        return math.nan
