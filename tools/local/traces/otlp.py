"""Decodes OTLP's protobuf, as exporters send it over HTTP, into spans."""

import gzip
from collections.abc import Iterator
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from tools.local.traces.received_trace import Span

_STATUS_NAMES = ("unset", "ok", "error")


def decode(body: bytes, encoding: str) -> Iterator[Span]:
    """The spans of an export's body.

    Raises:
        DecodeError, OSError, EOFError, zlib.error: it is not OTLP, or not gzip as `encoding` says.
    """
    request = ExportTraceServiceRequest.FromString(gzip.decompress(body) if encoding == "gzip" else body)
    for of_resource in request.resource_spans:
        resource = _attributes(of_resource.resource.attributes)
        for scope in of_resource.scope_spans:
            yield from (_span(span, resource, scope.scope.name) for span in scope.spans)


def _span(span: Any, resource: dict[str, Any], scope: str) -> Span:
    return Span(
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex() or None,
        name=span.name,
        scope=scope,
        start_ns=span.start_time_unix_nano,
        end_ns=span.end_time_unix_nano,
        attributes=_attributes(span.attributes),
        resource=resource,
        status=_STATUS_NAMES[span.status.code],
        message=span.status.message,
        events=tuple(
            {"name": event.name, "time_ns": event.time_unix_nano, "attributes": _attributes(event.attributes)}
            for event in span.events
        ),
        links=tuple(link.trace_id.hex() for link in span.links),
    )


def _attributes(pairs: "Iterator[KeyValue] | Any") -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return _attributes(value.kvlist_value.values)
    return getattr(value, kind) if kind else None
