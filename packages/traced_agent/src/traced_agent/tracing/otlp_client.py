"""Sends spans to an OTLP/HTTP endpoint, and records for each span whether it arrived.

OpenTelemetry's own exporter reports one result for a whole batch, counts a redirect or an HTML page as a
success, and its timeout applies to one read. So OpenTelemetry encodes the spans and this module posts them.
"""

import http.client
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from opentelemetry.sdk.trace import ReadableSpan

from traced_agent.tracing.export_attempt import ExportAttempt
from traced_agent.tracing.http_exchange import HttpResponse, exchange, to_error
from traced_agent.tracing.idle_connection import IdleConnection
from traced_agent.tracing.otlp_encoding import encode, partial_success, shorten
from traced_agent.tracing.spans import span_key

_BATCH: Final = 128
"""Spans per request."""


@dataclass(frozen=True)
class OtlpClient:
    """A client for one OTLP/HTTP traces endpoint."""

    url: str
    headers: Mapping[str, str] = field(repr=False)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)
    idle: IdleConnection = field(default_factory=IdleConnection, repr=False)

    def send(self, spans: Sequence[ReadableSpan], attempt: ExportAttempt) -> None:
        """Send the spans in batches, and record the result of each in `attempt`.

        Raises:
            UnauthorizedError: 401 or 403.
            ExportError: the endpoint cannot be reached, is too slow or fails; the rest can be sent again.
        """
        with self.idle.connected(self.url, attempt, self.environ) as connection:
            for start in range(0, len(spans), _BATCH):
                self._send_batch(spans[start : start + _BATCH], attempt, connection)

    def post(self, body: bytes, attempt: ExportAttempt) -> HttpResponse:
        """Post one encoded request and return the response.

        Raises:
            ExportError: the endpoint cannot be reached or is too slow.
        """
        with self.idle.connected(self.url, attempt, self.environ) as connection:
            return self._post(body, attempt, connection)

    def _send_batch(
        self, spans: Sequence[ReadableSpan], attempt: ExportAttempt, connection: http.client.HTTPConnection
    ) -> None:
        response = self._encode_and_post(spans, attempt, connection)
        if response.accepted:
            attempt.sent.update(map(span_key, spans))
            attempt.rejected = attempt.rejected or _rejected(response)
        elif response.status in (400, 413, 422) and len(spans) > 1:
            half = len(spans) // 2
            self._send_batch(spans[:half], attempt, connection)
            self._send_batch(spans[half:], attempt, connection)
        elif response.status == 413 and (shorter := shorten(spans[0])) is not None:
            self._send_batch([shorter], attempt, connection)
        elif response.status in (400, 413, 422):
            attempt.refused[span_key(spans[0])] = response.summary
        else:
            raise to_error(self.url, response)

    def _encode_and_post(
        self, spans: Sequence[ReadableSpan], attempt: ExportAttempt, connection: http.client.HTTPConnection
    ) -> HttpResponse:
        try:
            body = encode(spans)
        except Exception as error:  # noqa: BLE001 - an attribute that the protocol cannot hold, for example
            return HttpResponse(400, "", f"it cannot be encoded ({type(error).__name__})".encode())
        return self._post(body, attempt, connection)

    def _post(
        self, body: bytes, attempt: ExportAttempt, connection: http.client.HTTPConnection
    ) -> HttpResponse:
        return exchange(connection, "POST", self.url, attempt, headers=self.headers, body=body)


def _rejected(response: HttpResponse) -> str | None:
    """The message about spans that an accepting backend rejects; None if there are none."""
    return partial_success(response.body) if response.body and "protobuf" in response.content_type else None
