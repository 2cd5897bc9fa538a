"""Encodes spans as OTLP requests, and reads OTLP responses and header settings."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import unquote

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import Status

from traced_agent.tracing.spans import copy_span

_SHORT: Final = 8_000
"""Characters that remain of each value of a span that the backend finds too large."""


def encode(spans: Sequence[ReadableSpan]) -> bytes:
    """Encode the spans as one OTLP request; invalid UTF-8 (half of a surrogate pair) is replaced."""
    from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans  # noqa: PLC0415 - protobuf

    try:
        return bytes(encode_spans(spans).SerializeToString())
    except (UnicodeError, ValueError):
        return bytes(encode_spans([_with_valid_text(span) for span in spans]).SerializeToString())


def shorten(span: ReadableSpan) -> ReadableSpan | None:
    """Cut the long values of a span; None if that does not make the span smaller."""
    shorter = _with_text(span, lambda text: text if len(text) <= _SHORT else text[:_SHORT] + " …")
    return None if len(encode([shorter])) >= len(encode([span])) else shorter


def partial_success(body: bytes) -> str | None:
    """What an OTLP response says about spans that were rejected; None if it rejects none."""
    from opentelemetry.proto.collector.trace.v1 import trace_service_pb2  # noqa: PLC0415 - protobuf

    try:
        partial = trace_service_pb2.ExportTraceServiceResponse.FromString(body).partial_success
    except ValueError:
        return None
    rejected = partial.rejected_spans
    return f"{rejected} spans were rejected: {partial.error_message}" if rejected else None


def parse_headers(text: str) -> dict[str, str]:
    """Parse OTEL_EXPORTER_OTLP_TRACES_HEADERS: `name=value,…`, values percent-encoded."""
    pairs = (pair.partition("=") for pair in text.split(",") if "=" in pair)
    return {name.strip().lower(): unquote(value.strip()) for name, _, value in pairs}


def otlp_headers(more: Mapping[str, str]) -> dict[str, str]:
    """The headers of OpenTelemetry's own exporter, with `more`."""
    from opentelemetry.exporter.otlp.proto.http import _OTLP_HTTP_HEADERS  # noqa: PLC0415

    headers = {**_OTLP_HTTP_HEADERS, "Content-Encoding": "gzip"}
    return {**{name.lower(): value for name, value in headers.items()}, **more}


def _with_valid_text(span: ReadableSpan) -> ReadableSpan:
    return _with_text(span, lambda text: text.encode(errors="replace").decode())


def _with_text(span: ReadableSpan, change: Callable[[str], str]) -> ReadableSpan:
    def change_value(value: Any) -> Any:
        if isinstance(value, str):
            return change(value)
        return tuple(map(change_value, value)) if isinstance(value, tuple) else value

    def change_all(attributes: Mapping[str, Any] | None) -> dict[str, Any]:
        return {change(name): change_value(value) for name, value in (attributes or {}).items()}

    description = span.status.description
    return copy_span(
        span,
        name=change(span.name),
        attributes=change_all(span.attributes),
        events=tuple(
            Event(change(event.name), change_all(event.attributes), event.timestamp) for event in span.events
        ),
        status=Status(span.status.status_code, change(description) if description else None),
    )
