"""One HTTP request and its response, within the time limit of an export attempt."""

import functools
import gzip
import http.client
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final

from traced_agent.tracing.export_attempt import (
    BusyError,
    ExportAttempt,
    ExportError,
    RateLimitedError,
    UnauthorizedError,
)
from traced_agent.tracing.http_connection import proxy_headers, request_target

_READ: Final = 65_536
"""Bytes of a response that are read."""

_DEFAULT_RETRY_AFTER_S: Final = 5.0
"""The pause after a 429 without a valid `Retry-After`."""

_MAX_RETRY_AFTER_S: Final = 300.0
"""The longest pause that a backend can ask for."""


@dataclass(frozen=True)
class HttpResponse:
    """A response of the endpoint."""

    status: int
    content_type: str
    body: bytes
    retry_after: str = ""
    """The header `Retry-After`: seconds, or an HTTP date."""

    @property
    def accepted(self) -> bool:
        """Whether it is a success: 2xx, and not an HTML page."""
        return 200 <= self.status < 300 and "html" not in self.content_type

    @property
    def summary(self) -> str:
        """One line of text for the log; binary data (of a gRPC port, for example) is left out."""
        if "html" in self.content_type:
            return f"{self.status}: a page of HTML"
        text = " ".join(self.body[:200].decode(errors="replace").split())
        return f"{self.status}: {text}" if _is_text(text) else f"{self.status}: {len(self.body)} binary bytes"

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


def exchange(  # noqa: PLR0913
    connection: http.client.HTTPConnection,
    method: str,
    url: str,
    attempt: ExportAttempt,
    *,
    headers: Mapping[str, str],
    body: bytes | None = None,
) -> HttpResponse:
    """Send one request and return the response; the body is compressed if the headers say so.

    Raises:
        BusyError: the endpoint cannot be reached, or it closed the connection.
        ExportError: there is no time left, or a header cannot be sent.
    """
    try:
        sent = gzip.compress(body, 6) if body and headers.get("content-encoding") == "gzip" else body
        all_headers = {**headers, **proxy_headers(url)}
        request = functools.partial(connection.request, method, request_target(url), sent, all_headers)
        response = _get_response(connection, request, attempt)
        received = response.read(_READ)
        if attempt.aborted or (response.length and len(received) < _READ):
            raise http.client.IncompleteRead(received)
        if not response.isclosed():
            connection.close()  # the rest of the response is not read
    except (OSError, http.client.HTTPException) as error:
        attempt.remaining_s()
        raise BusyError(f"{url} cannot be reached: {_describe(error)}") from None
    except ValueError:  # its message quotes the value
        raise ExportError(f"{url} got no request: a header's value has invalid characters") from None
    content_type = response.headers.get("Content-Type", "").lower()
    return HttpResponse(response.status, content_type, received, response.headers.get("Retry-After", ""))


def _get_response(
    connection: http.client.HTTPConnection, request: Callable[[], None], attempt: ExportAttempt
) -> http.client.HTTPResponse:
    """Send the request; if an open connection fails before a response, send it once more on a new one.

    The backend may receive it twice: spans and scores have ids, so it keeps them once.
    """
    while True:
        connection.timeout = attempt.remaining_s()
        if was_open := connection.sock is not None:
            connection.sock.settimeout(connection.timeout)
        try:
            request()
            return connection.getresponse()
        except (OSError, http.client.HTTPException):
            connection.close()  # the next request opens it again
            if not was_open or attempt.aborted:
                raise


def to_error(url: str, response: HttpResponse) -> ExportError:
    """The error to raise for a response that is not a success."""
    if response.status in (401, 403):
        return UnauthorizedError(f"{url} does not accept the credentials: {response.summary}")
    if response.status == 429 or response.status >= 500:
        message, pause_s = f"{url} answered {response.summary}", response.retry_after_s
        return BusyError(message) if pause_s is None else RateLimitedError(message, pause_s)
    return ExportError(f"{url} does not support this request: it answered {response.summary}")


def _describe(error: Exception) -> str:
    if isinstance(error, http.client.BadStatusLine) and not isinstance(error, ConnectionError):
        return (
            "the response is not HTTP/1.1 (OTLP over gRPC is not supported: use the port for OTLP over HTTP)"
        )
    text = " ".join(str(error).split())
    return text if text and _is_text(text) else type(error).__name__


def _is_text(text: str) -> bool:
    return text.isprintable() and "\N{REPLACEMENT CHARACTER}" not in text


def _seconds_until(http_date: str) -> float:
    try:
        return parsedate_to_datetime(http_date).timestamp() - time.time()
    except (ValueError, OverflowError):  # not a date
        return math.nan
