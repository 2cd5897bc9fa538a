"""Encodes spans as an OTLP request without protobuf's objects, which take most of the CPU time of an encoder.

The bytes are those of OpenTelemetry's encoder, which a property test compares. A message is a list of fields.
A field is a tag, then the length for texts and messages, then the content. Fields with the default value are
left out. Sources: https://protobuf.dev/programming-guides/encoding/ and OpenTelemetry's trace/v1/trace.proto.
"""

import functools
import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext

_SMALL: Final = [bytes([number]) for number in range(128)]
_HAS_IS_REMOTE: Final = 0x100
_IS_REMOTE: Final = 0x200
_fixed32: Final = struct.Struct("<I").pack
_fixed64: Final = struct.Struct("<Q").pack
_double: Final = struct.Struct("<d").pack


def encode_spans(spans: Sequence[ReadableSpan]) -> bytes:
    """Encode the spans as one OTLP request, grouped by resource and scope.

    Raises:
        TypeError, ValueError, OverflowError, struct.error: a value cannot be expressed in OTLP.
    """
    resources: dict[Resource, dict[InstrumentationScope | None, list[bytes]]] = {}
    resource, scopes = None, {}
    for span in spans:
        if (
            span.resource is not resource
        ):  # computing the hash of a resource takes longer than encoding a span
            resource = span.resource
            scopes = resources.setdefault(resource, {})
        scopes.setdefault(span.instrumentation_scope or None, []).append(_field(b"\x12", _span(span)))
    return b"".join(
        _field(b"\x0a", _resource_spans(resource, scopes)) for resource, scopes in resources.items()
    )


def _resource_spans(resource: Resource, scopes: Mapping[InstrumentationScope | None, list[bytes]]) -> bytes:
    encoded = [_field(b"\x0a", _attributes(b"\x0a", resource.attributes))]
    for scope, spans in scopes.items():
        content = [
            _field(b"\x0a", _scope(scope)),
            *spans,
            _text(b"\x1a", scope.schema_url if scope else None),
        ]
        encoded.append(_field(b"\x12", b"".join(content)))
    return b"".join([*encoded, _text(b"\x1a", resource.schema_url)])


def _scope(scope: InstrumentationScope | None) -> bytes:
    if scope is None:
        return b""
    return _text(b"\x0a", scope.name) + _text(b"\x12", scope.version) + _attributes(b"\x1a", scope.attributes)


def _span(span: ReadableSpan) -> bytes:
    context, parent, status = span.context, span.parent, span.status
    assert context is not None  # noqa: S101 - the SDK's spans have one
    state = ",".join([f"{key}={value}" for key, value in context.trace_state.items()])
    return b"".join(
        [
            _ids(context),
            _text(b"\x1a", state),
            b"\x22\x08" + parent.span_id.to_bytes(8) if parent else b"",
            _text(b"\x2a", span.name),
            b"\x30" + _SMALL[span.kind.value + 1],
            _time(b"\x39", span.start_time),
            _time(b"\x41", span.end_time),
            _attributes(b"\x4a", span.attributes),
            _count(b"\x50", span.dropped_attributes),
            *[_field(b"\x5a", _event(event)) for event in span.events],
            _count(b"\x60", span.dropped_events),
            *[_field(b"\x6a", _link(link)) for link in span.links],
            _count(b"\x70", span.dropped_links),
            _field(b"\x7a", _text(b"\x12", status.description) + _count(b"\x18", status.status_code.value)),
            b"\x85\x01" + _flags(parent),
        ]
    )


def _event(event: Event) -> bytes:
    return b"".join(
        [
            _time(b"\x09", event.timestamp),
            _text(b"\x12", event.name),
            _attributes(b"\x1a", event.attributes),
            _count(b"\x20", event.dropped_attributes),
        ]
    )


def _link(link: Link) -> bytes:
    return b"".join(
        [
            _ids(link.context),
            _attributes(b"\x22", link.attributes),
            _count(b"\x28", link.dropped_attributes),
            b"\x35" + _flags(link.context),
        ]
    )


def _ids(context: SpanContext) -> bytes:
    return b"\x0a\x10" + context.trace_id.to_bytes(16) + b"\x12\x08" + context.span_id.to_bytes(8)


def _flags(context: SpanContext | None) -> bytes:
    return _fixed32(_HAS_IS_REMOTE | _IS_REMOTE if context and context.is_remote else _HAS_IS_REMOTE)


def _attributes(tag: bytes, attributes: Mapping[str, Any] | None) -> bytes:
    if not attributes:
        return b""
    return b"".join([_field(tag, _key(key) + _field(b"\x12", _value(attributes[key]))) for key in attributes])


@functools.lru_cache(maxsize=512)
def _key(key: str) -> bytes:
    return _text(b"\x0a", key)


def _value(value: Any) -> bytes:  # noqa: PLR0911 - one line for each type
    if value is None:
        return b""
    if isinstance(value, str):
        return _field(b"\x0a", value.encode())
    if isinstance(value, bool):
        return b"\x10\x01" if value else b"\x10\x00"
    if isinstance(value, int):
        return b"\x18" + _signed(value)
    if isinstance(value, float):
        return b"\x21" + _double(value)
    if isinstance(value, bytes):
        return _field(b"\x3a", value)
    if isinstance(value, Sequence):
        return _field(b"\x2a", _repeated(_value(entry) for entry in value))
    if isinstance(value, Mapping):
        entries = (_key(str(key)) + _field(b"\x12", _value(entry)) for key, entry in value.items())
        return _field(b"\x32", _repeated(entries))
    raise TypeError(f"OTLP has no type for {type(value).__name__}")


def _repeated(messages: Iterable[bytes]) -> bytes:
    return b"".join([_field(b"\x0a", message) for message in messages])


def _text(tag: bytes, text: str | None) -> bytes:
    return _field(tag, text.encode()) if text else b""


def _time(tag: bytes, nanoseconds: int | None) -> bytes:
    return tag + _fixed64(nanoseconds) if nanoseconds else b""


def _count(tag: bytes, number: int) -> bytes:
    return tag + _varint(number) if number else b""


def _field(tag: bytes, content: bytes) -> bytes:
    return tag + _varint(len(content)) + content


def _signed(number: int) -> bytes:
    """An int64: a negative number has all 64 bits."""
    if not -(2**63) <= number < 2**63:
        raise OverflowError("OTLP's integers have 64 bits")
    return _varint(number % 2**64)


def _varint(number: int) -> bytes:
    """Seven bits in each byte, the lowest first; all bytes but the last one have the highest bit set."""
    if number < 128:
        return _SMALL[number]
    encoded = bytearray()
    while number > 127:
        encoded.append(number & 127 | 128)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)
