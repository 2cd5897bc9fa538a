"""Invalid requests over HTTP to the deployed function, and the traces of failed runs."""

import http.client
import json
import random
from urllib.parse import urlsplit

import pytest

from tools.local.fakes.langfuse_server import FakeLangfuse
from tools.local.function_url.server import FunctionUrlServer

VALID = b'{"query": "Hello", "session_id": "s-1", "tags": ["a"], "metadata": {"k": "v"}}'


@pytest.fixture(scope="module")
def langfuse():
    with FakeLangfuse() as langfuse:
        yield langfuse


@pytest.fixture(scope="module")
def function(deployed, bedrock, langfuse):
    keys = {"LANGFUSE_PUBLIC_KEY": langfuse.public_key, "LANGFUSE_SECRET_KEY": langfuse.secret_key}
    with deployed(bedrock, LANGFUSE_HOST=langfuse.url, **keys) as function:
        yield function


@pytest.fixture(scope="module")
def send(function):
    """Sends one request, and gives the status and the parsed body."""
    with FunctionUrlServer(function.environments) as url_server:
        connection = http.client.HTTPConnection(urlsplit(url_server.url).netloc, timeout=60)

        def send(body=VALID, method="POST", path="/", headers=None):
            connection.request(method, path, body, headers or {"Content-Type": "application/json"})
            response = connection.getresponse()
            text = response.read()
            return response.status, json.loads(text) if text else None

        yield send
        connection.close()


def damaged(chance):
    """A valid body with a few bytes removed, changed, repeated or inserted."""
    raw = bytearray(VALID)
    for _ in range(chance.randint(1, 5)):
        at = chance.randrange(len(raw) + 1)
        raw[at : at + chance.randint(0, 4)] = chance.choice(
            [b"", chance.randbytes(3), b'"', b"\\ud800", b"NaN", b"1e999", b"[" * 50, b"\xff", b"\x00", VALID]
        )
    return bytes(raw)


def test_a_damaged_body_gives_no_5xx_and_reveals_no_internals(send, function):
    chance = random.Random(20261123)
    for _ in range(400):
        body = damaged(chance)
        status, answer = send(body)
        assert status in (200, 400), body
        assert answer["success"] is (status == 200)
        assert status == 200 or not any(
            word in str(answer["error"]) for word in ("/var/", ".py", "Traceback")
        )
    assert function.crashes == 0


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "application/json", "Content-Encoding": "gzip"}, 200),
        ({"Content-Type": "text/html"}, 415),
        ({"Content-Type": "application/json", "traceparent": "00-zz-zz-zz"}, 200),
        ({"Content-Type": "application/json", "X-Amzn-Bedrock-AgentCore-Runtime-Session-Id": "s-2"}, 400),
        ({"Content-Type": "application/json", "X-Odd": "\xff\xfe", "Cookie": "a=b; c"}, 200),
    ],
)
def test_unusual_headers_are_handled(send, headers, status):
    assert send(headers=headers)[0] == status


@pytest.mark.parametrize("path", ["/%00", "/..%2f..%2fetc/passwd", "/invocations/", "/?query=x"])
def test_unusual_paths_are_handled(send, path):
    assert send(path=path)[0] == (200 if path == "/?query=x" else 404)


def test_the_error_of_a_failed_run_names_its_trace(function, langfuse):
    status, body, _ = function.ask("[[deny]] Hello")
    assert (status, body["error"]["code"]) == (502, "model_access_denied")
    assert body["trace_filter"] == f"run-{body['run_id']}"
    root = langfuse.wait_for(body["trace_id"]).root
    assert (root.status, root.message.partition(":")[0]) == ("error", "model_access_denied")
    [line] = function.lines_of(body["run_id"])
    assert line["trace_id"] == body["trace_id"]


def test_a_run_past_its_deadline_is_traced(deployed, bedrock, langfuse):
    keys = {"LANGFUSE_PUBLIC_KEY": langfuse.public_key, "LANGFUSE_SECRET_KEY": langfuse.secret_key}
    with deployed(bedrock, timeout_s=6, LANGFUSE_HOST=langfuse.url, **keys) as function:
        status, body, _ = function.ask("[[hang]] Hello")
        assert status == 504
        assert langfuse.wait_for(body["trace_id"]).root.status == "error"
        assert function.ask("Hello")[0] == 200
        assert function.crashes == 0
