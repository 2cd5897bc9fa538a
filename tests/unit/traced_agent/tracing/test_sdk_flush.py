"""Langfuse's SDK is flushed only when it, or a processor of the user's code, has something to send."""

from collections import deque

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor

from tools.local.fakes.langfuse_server import FakeLangfuse
from traced_agent.settings import Settings
from traced_agent.tracing.export_queue import ExportQueue
from traced_agent.tracing.langfuse_exporter import LangfuseExporter
from traced_agent.tracing.spans import RunTracerProvider, SpanBuffer


class Sdk:
    """A backend whose SDK has something to send, or has not."""

    def __init__(self, full):
        self.full, self.flushed = full, 0

    def needs_flush(self):
        return self.full

    def flush_sdk(self):
        self.flushed += 1


@pytest.fixture
def exporter():
    """An exporter with a Langfuse client of its own, and its tracer provider."""
    with FakeLangfuse() as server:
        keys = server.public_key, server.secret_key
        provider = RunTracerProvider(SpanBuffer(1.0), Resource({}))
        exporter = LangfuseExporter(Settings(langfuse_host=server.url), provider, *keys)
        yield exporter, provider
        exporter.shutdown()


@pytest.mark.parametrize(("full", "flushed"), [(True, 1), (False, 0)])
def test_an_sdk_with_nothing_to_send_is_not_flushed(full, flushed):
    sdk = Sdk(full)

    ExportQueue(sdk, deque(), emit=lambda counts: None).export(5)

    assert sdk.flushed == flushed


def test_a_score_needs_a_flush_until_it_is_sent(exporter):
    langfuse, _ = exporter
    assert not langfuse.needs_flush()

    langfuse._client.create_score(name="good", value=1.0, trace_id="0" * 31 + "1")
    assert langfuse.needs_flush()

    langfuse.flush()
    assert not langfuse.needs_flush()


def test_a_processor_of_the_user_needs_a_flush(exporter):
    langfuse, provider = exporter

    provider.add_span_processor(SpanProcessor())

    assert langfuse.needs_flush()
