"""Langfuse's keys come from a secret at the first export; wrong ones cost traces, never answers."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.unit.traced_agent.tracing.secret_session import ARN, Session, keys
from tools.local.fakes.langfuse_server import FakeLangfuse
from traced_agent.settings import Settings
from traced_agent.tracing.langfuse_backend import LangfuseBackend


@pytest.fixture
def receiver():
    with FakeLangfuse() as receiver:
        yield receiver


@pytest.fixture
def to_langfuse(receiver, tracing_to):
    """Makes tracing to the receiver with keys from a secret, or from the environment."""
    from langfuse._client.resource_manager import LangfuseResourceManager

    def make(*values, host=receiver.url, **settings):
        session = Session(*values)
        arn = {"langfuse_secret_arn": ARN} if values else {}
        where = Settings(langfuse_host=host, **arn, **settings)
        traced = tracing_to(None)
        traced.queue._backend = LangfuseBackend(where, session, traced.provider)
        traced.tracer = traced.provider.get_tracer("traced_agent")
        return traced, session

    yield make
    LangfuseResourceManager.reset()


def test_langfuses_keys_come_from_the_secret(to_langfuse, receiver):
    traced, session = to_langfuse(keys(receiver.public_key, receiver.secret_key))
    traced.run("one", "a")
    assert session.requests == []
    traced.export()
    assert [len(trace.spans) for trace in receiver.traces()] == [2]


def test_langfuses_keys_can_come_from_the_environment(to_langfuse, receiver):
    traced, _ = to_langfuse(langfuse_public_key=receiver.public_key, langfuse_secret_key=receiver.secret_key)
    traced.run("one")
    traced.export()
    assert len(receiver.traces()) == 1


@pytest.mark.parametrize("public_key", ["pk-lf-local", "pk-lf-before"], ids=["secret key", "both keys"])
def test_rotated_keys_are_picked_up_and_get_client_has_them(to_langfuse, receiver, public_key):
    from langfuse import get_client

    traced, _ = to_langfuse(keys(public_key, "old"), keys(receiver.public_key, receiver.secret_key))
    traced.run("one")
    traced.export()
    assert len(receiver.traces()) == 1
    assert traced.metrics == {"TracesExported": 1}
    client = get_client()
    assert client._resources.secret_key == receiver.secret_key


def test_wrong_keys_keep_the_spans_and_say_so(to_langfuse, receiver, caplog):
    traced, _ = to_langfuse(keys(receiver.public_key, "CANARY"))
    traced.run("one")
    traced.export()
    traced.export()
    assert traced.waiting == ["one"]
    assert caplog.text.count("does not accept the credentials") == 1
    assert "CANARY" not in caplog.text


@pytest.mark.parametrize(
    "secret", ["{}", "null", keys("", "s"), keys("p", None), '{"LANGFUSE_PUBLIC_KEY": 1}']
)
def test_a_secret_without_langfuses_keys_names_them(to_langfuse, caplog, secret):
    traced, _ = to_langfuse(secret)
    traced.run("one")
    traced.export()
    assert traced.metrics == {"TracesLost": 1}
    assert "must be a JSON object with LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY" in caplog.text


def test_a_mask_and_a_filter_of_the_agents_author_are_applied(to_langfuse, receiver):
    from langfuse import Langfuse as Client
    from langfuse.types import MaskOtelSpansResult, OtelSpanPatch

    def mask(*, params):
        hidden = OtelSpanPatch(set_attributes={"text": "***"})
        return MaskOtelSpansResult(span_patches=dict.fromkeys(params.spans, hidden))

    traced, _ = to_langfuse(keys(receiver.public_key, receiver.secret_key))
    Client(
        public_key=receiver.public_key,
        secret_key=receiver.secret_key,
        base_url=receiver.url,
        tracer_provider=traced.provider,
        mask_otel_spans=mask,
        should_export_span=lambda span: span.name != "hidden",
    )
    traced.run("one", "hidden", text="CANARY")
    traced.export()
    (trace,) = receiver.traces()
    assert [(span.name, span.attributes["text"]) for span in trace.spans] == [("one", "***")]
    assert traced.metrics == {"TracesExported": 1}


@pytest.fixture
def scores():
    """The paths that an endpoint which takes everything was asked for."""
    paths = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["content-length"]))
            paths.append(self.path)
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", paths
        server.shutdown()


def test_a_score_of_the_agents_author_leaves_with_the_export(to_langfuse, scores):
    from langfuse import get_client

    url, paths = scores
    traced, _ = to_langfuse(keys("pk", "sk"), host=url)
    traced.run("one")
    traced.export()
    get_client().create_score(name="fit", value=1.0, trace_id="a" * 32)
    traced.run("two")
    traced.export()
    assert paths == ["/api/public/otel/v1/traces"] * 2 + ["/api/public/scores"]
