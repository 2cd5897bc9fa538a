"""Sends spans to an OTLP/HTTP endpoint, and knows of each whether it arrived.

OpenTelemetry's own exporter answers for a whole batch with success or failure, takes a redirect or a page of
HTML for success, and its timeout is one per read: a server that drips its answer holds it for as long as it
likes. So spans are encoded by OpenTelemetry and posted here.
"""

import functools
import gzip
import http.client
import os
import socket
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import Status

from traced_agent.tracing.spans import SpanKey, copy_span, span_key

_BATCH: Final = 128
"""Spans per request."""

_SHORT: Final = 8_000
"""Characters that are left of a value where the backend would not take it longer."""

_READ: Final = 65_536
"""Bytes of an answer that are of interest."""

_ROOTS: Final = (
    "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_CERTIFICATE",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_FILE",
)
"""The variables that may name other root certificates, in a file or a directory."""


class ExportError(Exception):
    """The endpoint did not take the spans; they may be sent again."""


class BusyError(ExportError):
    """The endpoint cannot be reached or is not well just now."""


class UnauthorizedError(ExportError):
    """The endpoint does not take the credentials."""


class ExportAttempt:
    """One export under way: which spans, until when, and what became of them.

    Two threads look at it: one sends, the other waits for `budget_s` seconds and then calls `abort`.
    """

    def __init__(
        self, spans: Sequence[ReadableSpan], budget_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.spans = list(spans)
        self.sent: set[SpanKey] = set()
        self.filtered: set[SpanKey] = set()
        """Those that the destination's own filter leaves out: done with, but not sent."""
        self.refused: dict[SpanKey, str] = {}
        """Those that the backend will not take, and why."""
        self.rejected: str | None = None
        """What the backend left out of a batch that it took, in its own words."""
        self.trouble: str | None = None
        """Why the rest stayed behind, in one line."""
        self.hopeless: str | None = None
        """Why the rest will never leave, in one line."""
        self._clock = clock
        self._deadline = clock() + budget_s
        self._socket: socket.socket | None = None
        self.aborted = False
        """Whether the connection was cut: what then looks like the end of an answer is none."""

    @property
    def left(self) -> list[ReadableSpan]:
        """The spans of which nothing is known yet."""
        done = self.sent | self.filtered | self.refused.keys()
        return [span for span in self.spans if span_key(span) not in done]

    def remaining_s(self) -> float:
        """Seconds until the budget is spent.

        Raises:
            ExportError: it is.
        """
        remaining = self._deadline - self._clock()
        if remaining <= 0 or self.aborted:
            raise ExportError("the time for the export was over")
        return remaining

    def connected(self, connection: socket.socket) -> None:
        """Note the socket that is waited on, for `abort` to cut."""
        self._socket = connection
        if self.aborted:
            self.abort()

    def abort(self) -> None:
        """Cut the connection: whatever waits on it wakes up. From any thread, at any time."""
        self.aborted = True
        if self._socket is not None:
            with suppress(OSError):  # closed already
                self._socket.shutdown(socket.SHUT_RDWR)


@dataclass(frozen=True)
class OtlpResponse:
    """What the endpoint answered."""

    status: int
    content_type: str
    body: bytes

    @property
    def accepted(self) -> bool:
        """A success in the sense of OTLP: 2xx, and not some page."""
        return 200 <= self.status < 300 and "html" not in self.content_type

    @property
    def summary(self) -> str:
        """One line for a person."""
        if "html" in self.content_type:
            return f"{self.status}: a page of HTML"
        return f"{self.status}: {' '.join(self.body[:200].decode(errors='replace').split())}"


@dataclass(frozen=True)
class OtlpClient:
    """An OTLP/HTTP endpoint for traces."""

    url: str
    headers: Mapping[str, str] = field(repr=False)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)

    def send(self, spans: Sequence[ReadableSpan], flight: ExportAttempt) -> None:
        """Send the spans in batches, noting in `flight` what became of each.

        Raises:
            UnauthorizedError: 401 or 403.
            ExportError: the endpoint cannot be reached, is too slow or not well; the rest may be sent again.
        """
        connection = self._connect(flight)
        try:
            for start in range(0, len(spans), _BATCH):
                self._send(spans[start : start + _BATCH], flight, connection)
        finally:
            connection.close()

    def post(self, body: bytes, flight: ExportAttempt) -> OtlpResponse:
        """Post one encoded request and read the answer.

        Raises:
            ExportError: the endpoint cannot be reached or is too slow.
        """
        connection = self._connect(flight)
        try:
            return self._post(body, flight, connection)
        finally:
            connection.close()

    def _send(
        self, spans: Sequence[ReadableSpan], flight: ExportAttempt, connection: http.client.HTTPConnection
    ) -> None:
        answer = self._offer(spans, flight, connection)
        if answer.accepted:
            flight.sent.update(map(span_key, spans))
            flight.rejected = flight.rejected or _partial(answer)
        elif answer.status in (400, 413, 422) and len(spans) > 1:
            half = len(spans) // 2
            self._send(spans[:half], flight, connection)
            self._send(spans[half:], flight, connection)
        elif answer.status == 413 and (shorter := _shortened(spans[0])) is not None:
            self._send([shorter], flight, connection)
        elif answer.status in (400, 413, 422):
            flight.refused[span_key(spans[0])] = answer.summary
        elif answer.status in (401, 403):
            raise UnauthorizedError(f"{self.url} does not take the credentials: {answer.summary}")
        elif answer.status == 429 or answer.status >= 500:
            raise BusyError(f"{self.url} answered {answer.summary}")
        else:
            raise ExportError(f"{self.url} is no OTLP endpoint, it answered {answer.summary}")

    def _offer(
        self, spans: Sequence[ReadableSpan], flight: ExportAttempt, connection: http.client.HTTPConnection
    ) -> OtlpResponse:
        try:
            body = encode(spans)
        except Exception as error:  # noqa: BLE001 - an attribute that the protocol cannot hold, say
            return OtlpResponse(400, "", f"it cannot be encoded ({type(error).__name__})".encode())
        return self._post(body, flight, connection)

    def _connect(self, flight: ExportAttempt) -> http.client.HTTPConnection:
        url, proxy = urlsplit(self.url), _proxy(self.url)
        address = urlsplit(proxy or self.url).netloc.rpartition("@")[2]
        if url.scheme == "https":
            connection = _Https(address, flight, _tls(self._roots()))
            if proxy:
                connection.set_tunnel(url.netloc)
            return connection
        return _Http(address, flight)

    def _roots(self) -> str:
        import certifi  # noqa: PLC0415 - not before the answer

        return next((self.environ[name] for name in _ROOTS if self.environ.get(name)), certifi.where())

    def _post(
        self, body: bytes, flight: ExportAttempt, connection: http.client.HTTPConnection
    ) -> OtlpResponse:
        try:
            connection.timeout = flight.remaining_s()
            connection.request("POST", self._target(connection), gzip.compress(body, 6), dict(self.headers))
            response = connection.getresponse()
            body = response.read(_READ)
            if flight.aborted or (response.length and len(body) < _READ):
                raise http.client.IncompleteRead(body)
            if not response.isclosed():
                connection.close()  # there is more than anybody will read
        except (OSError, http.client.HTTPException) as error:
            flight.remaining_s()
            raise BusyError(f"{self.url} cannot be reached: {error or type(error).__name__}") from None
        except ValueError:  # its message quotes the value
            raise ExportError(f"{self.url} cannot be asked: a header's value is not fit to be sent") from None
        return OtlpResponse(response.status, response.headers.get("Content-Type", "").lower(), body)

    def _target(self, connection: http.client.HTTPConnection) -> str:
        url = urlsplit(self.url)
        through_proxy = url.scheme == "http" and connection.host != url.hostname
        return self.url if through_proxy else (url.path or "/") + (f"?{url.query}" if url.query else "")


class _Http(http.client.HTTPConnection):
    def __init__(self, address: str, flight: ExportAttempt) -> None:
        super().__init__(address)
        self._flight = flight

    def connect(self) -> None:
        super().connect()
        self._flight.connected(self.sock)


class _Https(http.client.HTTPSConnection):
    def __init__(self, address: str, flight: ExportAttempt, context: ssl.SSLContext) -> None:
        super().__init__(address, context=context)
        self._flight, self._tls = flight, context

    def connect(self) -> None:
        """Connect with a handshake that can be cut: the flight holds the socket before it."""
        http.client.HTTPConnection.connect(self)
        name = self._tunnel_host or self.host  # type: ignore[attr-defined]
        self.sock = self._tls.wrap_socket(self.sock, server_hostname=name, do_handshake_on_connect=False)
        self._flight.connected(self.sock)
        self.sock.do_handshake()


@functools.cache
def _proxy(url: str) -> str | None:
    parts = urlsplit(url)
    return None if proxy_bypass(parts.netloc) else getproxies().get(parts.scheme)


@functools.cache
def _tls(roots: str) -> ssl.SSLContext:
    if Path(roots).is_dir():
        return ssl.create_default_context(capath=roots)
    return ssl.create_default_context(cafile=roots)


def encode(spans: Sequence[ReadableSpan]) -> bytes:
    """The spans as an OTLP request; text that is not UTF-8 (half a surrogate pair) is mended."""
    from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans  # noqa: PLC0415 - protobuf

    try:
        return bytes(encode_spans(spans).SerializeToString())
    except (UnicodeError, ValueError):
        return bytes(encode_spans([_mended(span) for span in spans]).SerializeToString())


def parse_headers(text: str) -> dict[str, str]:
    """The headers that OTEL_EXPORTER_OTLP_TRACES_HEADERS spells: `name=value,…`, values percent-encoded."""
    pairs = (pair.partition("=") for pair in text.split(",") if "=" in pair)
    return {name.strip().lower(): unquote(value.strip()) for name, _, value in pairs}


def otlp_headers(more: Mapping[str, str]) -> dict[str, str]:
    """The headers of a request, as OpenTelemetry's exporter sends them, with `more`."""
    from opentelemetry.exporter.otlp.proto.http import _OTLP_HTTP_HEADERS  # noqa: PLC0415

    known = {**_OTLP_HTTP_HEADERS, "Content-Encoding": "gzip"}
    return {**{name.lower(): value for name, value in known.items()}, **more}


def _partial(answer: OtlpResponse) -> str | None:
    """What the endpoint left out of what it accepted, in its own words."""
    if "protobuf" not in answer.content_type or not answer.body:
        return None
    from opentelemetry.proto.collector.trace.v1 import trace_service_pb2  # noqa: PLC0415

    try:
        partial = trace_service_pb2.ExportTraceServiceResponse.FromString(answer.body).partial_success
    except ValueError:
        return None
    rejected = partial.rejected_spans
    return f"{rejected} spans were rejected: {partial.error_message}" if rejected else None


def _mended(span: ReadableSpan) -> ReadableSpan:
    return _with_text(span, lambda text: text.encode(errors="replace").decode())


def _shortened(span: ReadableSpan) -> ReadableSpan | None:
    shorter = _with_text(span, lambda text: text if len(text) <= _SHORT else text[:_SHORT] + " …")
    return None if len(encode([shorter])) >= len(encode([span])) else shorter


def _with_text(span: ReadableSpan, change: Callable[[str], str]) -> ReadableSpan:
    def changed(value: Any) -> Any:
        if isinstance(value, str):
            return change(value)
        return tuple(map(changed, value)) if isinstance(value, tuple) else value

    def all_changed(attributes: Mapping[str, Any] | None) -> dict[str, Any]:
        return {change(name): changed(value) for name, value in (attributes or {}).items()}

    description = span.status.description
    return copy_span(
        span,
        name=change(span.name),
        attributes=all_changed(span.attributes),
        events=tuple(
            Event(change(event.name), all_changed(event.attributes), event.timestamp) for event in span.events
        ),
        status=Status(span.status.status_code, change(description) if description else None),
    )
