"""Media in spans is extracted exactly as Langfuse's SDK extracts it; spans without media are not copied."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langfuse._client.span_exporter import LangfuseTransformingSpanExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import SpanContext, TraceFlags

from traced_agent.tracing.langfuse_exporter import TransformingExporter

PIXEL = "data:image/png;base64,iVBORw0KGgo="
CONTEXT = SpanContext(1, 2, is_remote=False, trace_flags=TraceFlags(1))


class LastExporter(SpanExporter):
    """Keeps what it is asked to send."""

    def __init__(self):
        self.spans = []

    def export(self, spans):
        self.spans.extend(spans)
        return SpanExportResult.SUCCESS


class MediaManager:
    """Replaces all data in which the SDK looks for media."""

    def _find_and_process_media(self, *, data, trace_id, observation_id, field):
        return {"media of": field, "was": json.dumps(data)}


def exported(exporter_class, spans, mask=None):
    last = LastExporter()
    exporter = exporter_class(exporter=last, media_manager=MediaManager(), mask_otel_spans=mask)
    assert exporter.export(spans) is SpanExportResult.SUCCESS
    return last.spans


fragments = st.sampled_from(
    [
        PIXEL,
        "data:",
        '"data"',
        '"data": "',
        "inline_data",
        "inlineData",
        '"mime_type"',
        '"media_type": 1',
        "{",
        "[1, 2]",
        '"',
        " ",
        "x",
    ]
)
json_media = st.sampled_from(
    [{"inline_data": 1}, {"data": "x", "mime_type": "y"}, {"source": PIXEL}, ["inlineData"], {"text": "x"}]
).map(json.dumps)
texts = st.one_of(st.lists(fragments, max_size=4).map("".join), json_media, st.text(max_size=10))
values = st.one_of(texts, st.lists(texts, max_size=3), st.integers(), st.booleans())
keys = st.sampled_from(
    ["gen_ai.input.messages", "output.value", "langfuse.observation.metadata.image", "any"]
)


@given(st.lists(st.dictionaries(keys, values, max_size=3), max_size=3))
def test_spans_are_changed_exactly_as_the_sdk_changes_them(attributes_of_spans):
    spans = [
        ReadableSpan("any", CONTEXT, attributes=attributes, start_time=1, end_time=2)
        for attributes in attributes_of_spans
    ]
    ours, theirs = (
        [dict(span.attributes) for span in exported(exporter, spans)]
        for exporter in (TransformingExporter, LangfuseTransformingSpanExporter)
    )
    as_sent = [
        {key: tuple(value) if isinstance(value, list) else value for key, value in attributes.items()}
        for attributes in ours
    ]
    assert as_sent == theirs


@pytest.mark.parametrize("key", ["gen_ai.input.messages", "langfuse.observation.metadata.image"])
def test_media_of_a_span_is_extracted(key):
    span = ReadableSpan("any", CONTEXT, attributes={key: json.dumps([PIXEL])})
    (sent,) = exported(TransformingExporter, [span])
    assert "media of" in sent.attributes[key]


def test_spans_without_media_are_not_copied():
    span = ReadableSpan("any", CONTEXT, attributes={"gen_ai.input.messages": '[{"text": "hello"}]', "n": 1})
    assert exported(TransformingExporter, [span]) == [span]


def test_a_mask_receives_spans_without_media():
    seen = []
    span = ReadableSpan("any", CONTEXT, attributes={"gen_ai.input.messages": "hello"})
    exported(TransformingExporter, [span], mask=lambda *, params: seen.append(params))
    assert len(seen) == 1
