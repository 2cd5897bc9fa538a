"""The encoder of spans gives the bytes of OpenTelemetry's encoder."""

import math
from string import ascii_lowercase, digits

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans as opentelemetry_encode
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

from traced_agent.tracing.otlp_encoding import encode
from traced_agent.tracing.span_encoder import encode_spans

texts = st.text(st.characters(codec="utf-8"), max_size=200)
scalars = st.one_of(
    texts,
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.binary(max_size=200),
    st.none(),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(texts, inner, max_size=3),
    ),
    max_leaves=6,
)
attributes = st.one_of(st.none(), st.dictionaries(texts, values, max_size=4))
times = st.one_of(st.none(), st.integers(0, 2**64 - 1))
states = st.dictionaries(
    st.builds(str.__add__, st.sampled_from(ascii_lowercase), st.text(ascii_lowercase + digits, max_size=8)),
    st.text(
        st.characters(min_codepoint=ord("!"), max_codepoint=ord("~"), exclude_characters=",="),
        min_size=1,
        max_size=8,
    ),
    max_size=3,
).map(lambda entries: TraceState(list(entries.items())))
contexts = st.builds(
    SpanContext,
    st.integers(0, 2**128 - 1),
    st.integers(0, 2**64 - 1),
    st.booleans(),
    st.sampled_from([TraceFlags(0), TraceFlags(1)]),
    states,
)
events = st.builds(Event, texts, attributes, st.integers(0, 2**64 - 1))
links = st.builds(Link, contexts, attributes)
statuses = st.one_of(
    st.builds(Status, st.sampled_from([StatusCode.OK, StatusCode.UNSET])),
    st.builds(Status, st.just(StatusCode.ERROR), st.one_of(st.none(), texts)),
)
resources = st.builds(
    Resource,
    st.dictionaries(texts, st.one_of(texts, st.integers(0, 9)), max_size=3),
    st.one_of(st.none(), texts),
)
scopes = st.one_of(
    st.none(),
    st.builds(
        InstrumentationScope,
        texts,
        st.one_of(st.none(), texts),
        st.one_of(st.none(), texts),
        st.one_of(st.none(), st.dictionaries(texts, texts, max_size=2)),
    ),
)
spans = st.builds(
    ReadableSpan,
    name=texts,
    context=contexts,
    parent=st.one_of(st.none(), contexts),
    resource=resources,
    attributes=attributes,
    events=st.lists(events, max_size=3),
    links=st.lists(links, max_size=2),
    kind=st.sampled_from(SpanKind),
    status=statuses,
    start_time=times,
    end_time=times,
    instrumentation_scope=scopes,
)


def expected(given_spans):
    return opentelemetry_encode(given_spans).SerializeToString()


@given(st.lists(spans, max_size=4))
def test_every_span_has_the_bytes_of_opentelemetrys_encoder(some):
    assert encode_spans(some) == expected(some)


@given(st.lists(st.tuples(spans, st.integers(0, 2), st.integers(0, 2)), max_size=6), resources, resources)
def test_spans_are_grouped_by_resource_and_scope_in_the_same_order(some, first, second):
    equal = Resource(dict(first.attributes), first.schema_url)
    scopes = [InstrumentationScope("a"), InstrumentationScope("a"), InstrumentationScope("b", "1")]
    for span, resource, scope in some:
        span._resource = [first, second, equal][resource]
        span._instrumentation_scope = scopes[scope]
    grouped = [span for span, *_ in some]
    assert encode_spans(grouped) == expected(grouped)


@pytest.mark.parametrize("number", [0, 1, -1, 127, 128, 16_383, 16_384, 2**31, 2**63 - 1, -(2**63)])
def test_the_limits_of_integers_have_the_same_bytes(number):
    span = ReadableSpan("s", SpanContext(1, 2, is_remote=False), attributes={"number": number})
    assert encode_spans([span]) == expected([span])


@pytest.mark.parametrize("number", [0.0, -0.0, math.inf, math.nan, 1e-320])
def test_unusual_floats_have_the_same_bytes(number):
    span = ReadableSpan("s", SpanContext(1, 2, is_remote=False), attributes={"number": number})
    assert encode_spans([span]) == expected([span])


@pytest.mark.parametrize("length", [0, 127, 128, 16_383, 16_384, 2_100_000])
def test_long_texts_have_the_same_bytes(length):
    span = ReadableSpan("s", SpanContext(1, 2, is_remote=False), attributes={"text": "x" * length})
    assert encode_spans([span]) == expected([span])


@pytest.mark.parametrize("invalid", [2**63, object(), {1, 2}])
def test_an_attribute_that_otlp_cannot_express_is_left_out(invalid):
    span = ReadableSpan("s", SpanContext(1, 2, is_remote=False), attributes={"bad": invalid, "good": 1})
    without = ReadableSpan("s", SpanContext(1, 2, is_remote=False), attributes={"good": 1})
    assert encode([span]) == encode([without])


def test_half_of_a_surrogate_pair_is_replaced():
    span = ReadableSpan("s", SpanContext(1, 2, is_remote=False), attributes={"text": "a\ud800b"})
    assert b"a?b" in encode([span])
