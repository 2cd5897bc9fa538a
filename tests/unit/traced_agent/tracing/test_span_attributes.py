"""Attributes are read completely, whatever class they have."""

from types import MappingProxyType

import pytest
from opentelemetry.attributes import BoundedAttributes

from traced_agent.tracing import langfuse_exporter
from traced_agent.tracing.span_attributes import plain, text_values
from traced_agent.tracing.spans import RunTracerProvider, SpanBuffer, build_resource

VALUES = {"text": "a", "number": 1, "texts": ("b", "c"), "numbers": (1, 2), "flag": True}


@pytest.mark.parametrize(
    "attributes",
    [VALUES, BoundedAttributes(128, VALUES), MappingProxyType(BoundedAttributes(128, VALUES))],
    ids=["dict", "OpenTelemetry", "read-only"],
)
def test_every_attribute_is_in_the_dict_and_every_text_is_found(attributes):
    assert plain(attributes) == dict(attributes)
    assert list(text_values(attributes)) == ["a", "b", "c"]


def test_no_attributes_are_an_empty_dict():
    assert plain(None) == {}
    assert list(text_values(None)) == []


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"content": "an image: data:image/png;base64,AA=="}, True),
        ({"content": ('{"x": 1}', '{"inline_data": {}}')}, True),
        ({"content": "dat", "more": "a:"}, False),
        ({"data:": "only a name", "number": 1}, False),
        ({}, False),
    ],
)
def test_media_are_looked_for_in_every_text(attributes, expected):
    provider = RunTracerProvider(SpanBuffer(1.0), build_resource({}, version="1", environment="", release=""))
    span = provider.get_tracer("test").start_span("span", attributes=attributes)
    assert langfuse_exporter._may_have_media(span) is expected
