"""Encodes spans as OTLP requests, and reads OTLP responses and header settings."""

from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import unquote

from opentelemetry.sdk.trace import ReadableSpan

from traced_agent.text import replace_surrogates
from traced_agent.tracing.safe_text import with_text
from traced_agent.tracing.span_encoder import encode_spans

_SHORT: Final = 8_000
"""Characters that remain of each value of a span that the backend finds too large."""


def encode(spans: Sequence[ReadableSpan]) -> bytes:
    """Encode the spans as one OTLP request.

    Half of a surrogate pair is replaced. An attribute of a type that OTLP does not have is left out.
    """
    try:
        return encode_spans(spans)
    except Exception:  # noqa: BLE001 - OpenTelemetry's encoder leaves out what it cannot encode
        from opentelemetry.exporter.otlp.proto.common import trace_encoder  # noqa: PLC0415 - protobuf

        valid = [with_text(span, replace_surrogates) for span in spans]
        return bytes(trace_encoder.encode_spans(valid).SerializeToString())


def shorten(span: ReadableSpan) -> ReadableSpan | None:
    """Cut the long values of a span; None if that does not make the span smaller."""
    shorter = with_text(span, lambda text: text if len(text) <= _SHORT else text[:_SHORT] + " …")
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
