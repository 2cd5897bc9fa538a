"""Providers, clients, secrets and variables of other libraries change neither traces nor their privacy."""

import functools
import gzip
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.unit.traced_agent.tracing.answered_request import Asked
from tools.local.fakes.langfuse_server import FakeLangfuse
from tools.local.fakes.langfuse_view import trace_view

CANARIES = ("PROMPT", "ANSWER", "ARGUMENT", "RESULT", "SYSTEM")


@pytest.fixture
def langfuse():
    with FakeLangfuse() as langfuse:
        yield langfuse


class OtherBackend:
    """The backend of another tracer provider: it records the bodies of all requests."""

    def __init__(self):
        self.bodies = []
        other = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                other.bodies.append(gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1/traces"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()


@pytest.fixture
def other_backend():
    other = OtherBackend()
    yield other
    other.server.shutdown()
    other.server.server_close()


@pytest.mark.parametrize("early", ["", "get_client", "client with mask", "auto-instrumentation"])
@pytest.mark.parametrize("content", ["full", "metadata"])
def test_a_provider_or_client_of_the_user_changes_neither_the_trace_nor_its_privacy(
    langfuse, other_backend, early, content
):
    asked = Asked(
        langfuse, EARLY=early, TRACE_CONTENT=content, TOOL="observes", OTHER_BACKEND=other_backend.url
    )
    assert asked.body["success"], asked.log
    (trace,) = langfuse.traces()
    assert len(langfuse.exports) == 1, "all spans are in one request"
    assert {span.attributes["session.id"] for span in trace.spans} == {"s-1"}
    assert {"mine", "chat", "execute_tool look_up"} <= {span.name for span in trace.spans}
    outgoing = repr(langfuse.exports) + repr(langfuse.api_requests) + repr(other_backend.bodies)
    if content == "metadata":
        assert "CANARY" not in outgoing
    else:
        assert "CANARY-ARGUMENT" in outgoing
        assert not any("CANARY" in repr(body) for body in other_backend.bodies)
        masked = early == "client with mask"
        assert trace_view(trace)["input"] == ({"masked": True} if masked else {"query": "CANARY-PROMPT"})
        assert trace_view(trace)["output"] == ({"masked": True} if masked else {"response": "CANARY-ANSWER"})


class SecretsManager:
    """Secrets Manager, holding Langfuse's keys."""

    def __init__(self, langfuse):
        keys = {"LANGFUSE_PUBLIC_KEY": langfuse.public_key, "LANGFUSE_SECRET_KEY": langfuse.secret_key}
        data = json.dumps({"SecretString": json.dumps(keys)}).encode()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers["content-length"]))
                self.send_response(200)
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()


@pytest.mark.parametrize("early", ["get_client", "client with mask"])
def test_a_client_created_before_the_secret_is_read_becomes_active_with_its_arguments(langfuse, early):
    manager = SecretsManager(langfuse)
    asked = Asked(
        langfuse,
        EARLY=early,
        TOOL="observes",
        LANGFUSE_PUBLIC_KEY=None,
        LANGFUSE_SECRET_KEY=None,
        LANGFUSE_SECRET_ARN="arn:aws:secretsmanager:us-east-1:123456789012:secret:keys-AbCdEf",
        AWS_ENDPOINT_URL_SECRETS_MANAGER=manager.url,
        AWS_ACCESS_KEY_ID="x",
        AWS_SECRET_ACCESS_KEY="x",
    )
    manager.server.shutdown()
    manager.server.server_close()
    assert asked.body["success"], asked.log
    (trace,) = langfuse.traces()
    (mine,) = (span for span in trace.spans if span.name == "mine")
    masked = early == "client with mask"
    assert ("CANARY-MINE" in repr(mine)) is not masked
    assert ("CANARY-PROMPT" in json.dumps(trace_view(trace)["input"])) is not masked


def test_a_client_before_traced_agent_is_an_error_with_the_remedy(langfuse):
    asked = Asked(langfuse, EARLY="client before traced_agent")
    assert asked.code != 0
    assert "import traced_agent first" in asked.log
    assert langfuse.exports == []


@pytest.fixture(scope="module")
def asked_with():
    """Answers a request with a variable set to a value; each pair starts one process for all tests."""

    @functools.cache
    def ask(name, value):
        with FakeLangfuse() as langfuse:
            return Asked(langfuse, **{name: value})

    return ask


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_BSP_MAX_QUEUE_SIZE", "100"),
        ("OTEL_BSP_SCHEDULE_DELAY", "soon"),
        ("LANGFUSE_TIMEOUT", "5s"),
        ("LANGFUSE_FLUSH_AT", "many"),
        ("LANGFUSE_MEDIA_UPLOAD_THREAD_COUNT", "x"),
        ("SSL_CERT_FILE", "/does/not/exist.pem"),
        ("OTEL_PROPAGATORS", "xray"),
        ("OTEL_ATTRIBUTE_COUNT_LIMIT", "abc"),
        ("OTEL_SPAN_EVENT_COUNT_LIMIT", "-1"),
        ("OTEL_TRACES_SAMPLER", "nonsense"),
        ("OTEL_RESOURCE_ATTRIBUTES", "no-equals-sign"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "x"),
        ("OTEL_PYTHON_CONTEXT", "nonsense"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318"),
    ],
)
def test_an_invalid_variable_of_another_library_loses_neither_the_answer_nor_the_trace(
    asked_with, name, value
):
    asked = asked_with(name, value)
    assert asked.body["success"], asked.log
    assert len(asked.langfuse.traces()) == 1, asked.log


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_BSP_MAX_QUEUE_SIZE", "100"),
        ("LANGFUSE_TIMEOUT", "5s"),
        ("SSL_CERT_FILE", "/does/not/exist.pem"),
        ("OTEL_PROPAGATORS", "xray"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318"),
    ],
)
def test_a_variable_that_is_not_used_is_named_in_the_log(asked_with, name, value):
    assert name in asked_with(name, value).log
