"""What Langfuse shows of runs, compared with what happened; and what may not leave the function."""

import datetime as dt
import gzip
import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tools.local.fakes.langfuse_server import FakeLangfuse
from tools.local.fakes.langfuse_view import trace_view

SCRIPT = Path(__file__).with_name("one_request.py")
CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
CANARIES = ("PROMPT", "ANSWER", "ARGUMENT", "RESULT", "SYSTEM")


class Asked:
    """One process that answered a request: its responses, its log, and the trace of the last response."""

    def __init__(self, langfuse, **variables):
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(Path(__file__).parents[4]),
            "AWS_LAMBDA_FUNCTION_NAME": "fn",
            "AWS_REGION": "us-east-1",
            "LANGFUSE_HOST": langfuse.url,
            "LANGFUSE_PUBLIC_KEY": langfuse.public_key,
            "LANGFUSE_SECRET_KEY": langfuse.secret_key,
            "TRACE_EXPORT_TIMEOUT_S": "30",
            **variables,
        }
        environment = {name: value for name, value in environment.items() if value is not None}
        argv = [sys.executable, str(SCRIPT)]
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=240, check=False)
        self.log = done.stdout + done.stderr
        self.code = done.returncode
        lines = [line for line in done.stdout.splitlines() if line.startswith('{"success"')]
        self.bodies = [json.loads(line) for line in lines]
        self.langfuse = langfuse

    @property
    def body(self):
        assert self.bodies, self.log
        return self.bodies[-1]

    @property
    def view(self):
        """The last trace as Langfuse shows it."""
        return trace_view(self.langfuse.traces()[-1])

    def observation(self, name):
        return next(each for each in self.view["observations"] if each["name"].startswith(name))


@pytest.fixture
def langfuse():
    with FakeLangfuse() as langfuse:
        yield langfuse


@pytest.fixture(scope="module")
def answered():
    """A run with a tool that uses Langfuse's SDK, called with a traceparent."""
    with FakeLangfuse() as langfuse:
        yield Asked(langfuse, TOOL="observes", TRACEPARENT=CALLER, REQUESTS="2")


def test_a_run_is_shown_with_its_labels_input_and_output(answered):
    view = answered.view
    run_id = answered.body["run_id"]
    assert (view["name"], view["userId"], view["sessionId"]) == ("query", "u-1", "s-1")
    assert view["input"] == {"query": "CANARY-PROMPT"}
    assert view["output"] == {"response": "CANARY-ANSWER"}
    assert view["tags"] == sorted([f"run-{run_id}", "strands-agents", "by-the-tool"])
    assert view["metadata"] == {"team": "größe", "caller_trace_id": CALLER.split("-")[1]}
    assert view["level"] == "DEFAULT"


def test_tokens_are_counted_once_and_the_agent_is_an_agent(answered):
    assert answered.view["totalTokens"] == answered.body["usage"]["totalTokens"] == 36
    assert answered.observation("invoke_agent")["type"] == "AGENT"
    assert [each["type"] for each in answered.view["observations"] if each["name"] == "chat"] == [
        "GENERATION"
    ] * 2


def test_model_calls_show_parameters_and_readable_messages(answered):
    chat = answered.observation("chat")
    assert chat["parameters"] == {"max_tokens": 77, "temperature": 0.5}
    started, ended = (dt.datetime.fromtimestamp(chat[name] / 1e9, dt.UTC) for name in ("startNs", "endNs"))
    first_token = dt.datetime.fromisoformat(chat["completionStartTime"])
    assert started + dt.timedelta(milliseconds=19) <= first_token <= ended
    assert chat["readable"]
    assert "CANARY-PROMPT" in json.dumps(chat["input"])
    assert "CANARY-ARGUMENT" in json.dumps(chat["output"])
    tool = answered.observation("execute_tool")
    assert "CANARY-ARGUMENT" in json.dumps(tool["input"])
    assert "CANARY-RESULT" in json.dumps(tool["output"])
    assert "CANARY-CONFIG" not in repr(answered.langfuse.traces())


def test_trace_url_contains_the_project_once_it_is_known(answered):
    first, second = answered.bodies
    assert first["trace_url"].endswith(f"/trace/{first['trace_id']}")
    assert second["trace_url"] == f"{answered.langfuse.url}/project/local/traces/{second['trace_id']}"
    assert [path for method, path, _ in answered.langfuse.api_requests if "projects" in path] == [
        "/api/public/projects"
    ]


def test_a_configured_project_id_is_not_asked_for(langfuse):
    asked = Asked(langfuse, LANGFUSE_PROJECT_ID="p1")
    assert asked.body["trace_url"].endswith(f"/project/p1/traces/{asked.body['trace_id']}")
    assert langfuse.api_requests == []


def test_a_failed_model_call_uses_no_tokens_and_the_run_says_why(langfuse):
    asked = Asked(langfuse, MODEL="fails")
    assert asked.body["error"]["code"] == "internal_error"
    assert asked.view["level"] == "ERROR"
    assert asked.view["output"]["error"]["code"] == "internal_error"
    assert asked.view["totalTokens"] == 0
    assert asked.observation("chat")["level"] == "ERROR"


@pytest.mark.parametrize(("model", "reason"), [("endless", "limit_turns"), ("stops", "max_tokens")])
def test_a_run_that_a_limit_ends_says_so_at_trace_level(langfuse, model, reason):
    asked = Asked(langfuse, MODEL=model, MAX_TURNS="2")
    assert asked.body["stop_reason"] == reason
    assert asked.view["level"] == "WARNING"
    assert asked.view["statusMessage"] == f"stop_reason: {reason}"
    assert asked.view["metadata"]["stop_reason"] == reason


def test_a_run_that_sampling_drops_has_no_links_and_a_failed_one_has(langfuse):
    dropped = Asked(langfuse, LANGFUSE_SAMPLE_RATE="0")
    assert dropped.body["success"]
    fields = ("langfuse_url", "trace_filter", "trace_id", "trace_url")
    assert [dropped.body[name] for name in fields] == [None] * 4
    assert langfuse.traces() == []
    failed = Asked(langfuse, LANGFUSE_SAMPLE_RATE="0", MODEL="fails")
    assert failed.body["trace_id"] == langfuse.traces()[0].trace_id


def test_the_prompt_of_langfuse_is_used_and_linked_to_the_model_calls(langfuse):
    langfuse.records.prompts["assistant", "production"] = {"prompt": "CANARY-PROMPT-TEXT", "version": 4}
    asked = Asked(langfuse, LANGFUSE_PROMPT="assistant")
    assert asked.body["success"], asked.log
    chat = asked.observation("chat")
    assert (chat["promptName"], chat["promptVersion"]) == ("assistant", 4)
    assert "CANARY-PROMPT-TEXT" in repr(langfuse.exports)
    assert "CANARY-SYSTEM" not in repr(langfuse.exports)


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
def test_a_provider_or_client_of_the_users_changes_neither_the_trace_nor_its_privacy(
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


def test_a_client_before_traced_agent_is_an_error_that_says_what_to_do(langfuse):
    asked = Asked(langfuse, EARLY="client before traced_agent")
    assert asked.code != 0
    assert "import traced_agent first" in asked.log
    assert langfuse.exports == []


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
def test_an_invalid_variable_of_another_library_costs_neither_the_answer_nor_the_trace(langfuse, name, value):
    asked = Asked(langfuse, **{name: value})
    assert asked.body["success"], asked.log
    assert len(langfuse.traces()) == 1, asked.log


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
def test_a_variable_that_is_not_used_is_named_in_the_log(langfuse, name, value):
    assert name in Asked(langfuse, **{name: value}).log
