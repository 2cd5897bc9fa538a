import base64

import httpx
import pytest
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from opentelemetry.trace import Status, StatusCode

from tools.local.fakes.langfuse_server import FakeLangfuse
from tools.local.traces import trace_page, trace_view


@pytest.fixture
def langfuse():
    with FakeLangfuse() as server:
        yield server


def exporter(langfuse, path="/api/public/otel/v1/traces", secret=None, compression=Compression.Gzip):
    keys = base64.b64encode(f"{langfuse.public_key}:{secret or langfuse.secret_key}".encode()).decode()
    return OTLPSpanExporter(
        langfuse.url + path, headers={"authorization": f"Basic {keys}"}, timeout=1, compression=compression
    )


def record(exporter):
    provider = TracerProvider(resource=Resource({"langfuse.environment": "test"}))
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("test")
    with tracer.start_as_current_span("query", attributes={"langfuse.trace.tags": ["a", "b"]}) as root:
        with tracer.start_as_current_span("chat", attributes={"gen_ai.usage.input_tokens": 7}) as child:
            child.set_status(Status(StatusCode.ERROR, "throttled"))
        return format(root.get_span_context().trace_id, "032x")


@pytest.mark.parametrize("compression", [Compression.Gzip, Compression.NoCompression])
@pytest.mark.parametrize("path", ["/api/public/otel/v1/traces", "/v1/traces"])
def test_an_export_becomes_a_tree(langfuse, path, compression):
    trace = langfuse.wait_for(record(exporter(langfuse, path, compression=compression)))
    assert trace.root.name == "query"
    assert trace.root.attributes["langfuse.trace.tags"] == ["a", "b"]
    assert trace.root.resource["langfuse.environment"] == "test"
    (chat,) = trace.children(trace.root)
    assert (chat.name, chat.status, chat.message) == ("chat", "error", "throttled")
    assert langfuse.exports[-1].path == path


def test_a_trace_that_does_not_arrive_is_none(langfuse):
    assert langfuse.wait_for("0" * 32, timeout_s=0.05) is None


def test_a_wrong_key_is_401_and_nothing_is_kept(langfuse):
    assert not export_nothing(exporter(langfuse, secret="wrong"))
    record(exporter(langfuse, secret="wrong"))
    assert langfuse.traces() == []


def test_bytes_that_are_not_protobuf_are_400(langfuse):
    assert httpx.post(f"{langfuse.url}/v1/traces", content=b"no protobuf").status_code == 400
    zipped = httpx.post(f"{langfuse.url}/v1/traces", content=b"no gzip", headers={"content-encoding": "gzip"})
    assert zipped.status_code == 400


@pytest.mark.parametrize(
    ("fault", "status"),
    [("unauthorized", 401), ("too_large", 413), ("unavailable", 503), ("internal", 500), ("html", 200)],
)
def test_the_reject_fault_occurs_that_many_times(langfuse, fault, status):
    langfuse.inject_fault(fault, times=1)
    assert httpx.post(f"{langfuse.url}/v1/traces", content=b"").status_code == status
    assert httpx.post(f"{langfuse.url}/v1/traces", content=b"").status_code == 200


@pytest.mark.parametrize("fault", ["hang", "close"])
def test_the_stall_fault_sends_no_response(langfuse, fault):
    langfuse.inject_fault(fault)
    with pytest.raises(httpx.TransportError):
        httpx.post(f"{langfuse.url}/v1/traces", content=b"", timeout=0.5)


def test_the_drip_fault_sends_single_bytes(langfuse):
    langfuse.inject_fault("drip")
    with httpx.stream("POST", f"{langfuse.url}/v1/traces", content=b"", timeout=5) as response:
        pieces = response.iter_raw()
        assert [next(pieces) for _ in range(3)] == [b"\0"] * 3


def test_the_trace_link_opens_the_trace(langfuse):
    trace_id = record(exporter(langfuse))
    page = httpx.get(f"{langfuse.url}/trace/{trace_id}").text
    assert page == trace_page.trace(langfuse.trace(trace_id)).decode()
    assert "└─ SPAN chat" in trace_view.text(langfuse.trace(trace_id))
    assert "ERROR throttled" in trace_view.text(langfuse.trace(trace_id))
    assert httpx.get(f"{langfuse.url}/trace/unknown").status_code == 404


def export_nothing(exporter):
    return exporter.export([]) is SpanExportResult.SUCCESS
