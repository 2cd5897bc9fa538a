"""Streams as a client of the Function URL sees them."""

import http.client
import json
import shutil
import time
from urllib.parse import urlsplit

import pytest

from tools.aws import invoke
from tools.local.fakes.bedrock_server import FakeBedrock
from tools.local.fakes.langfuse_server import FakeLangfuse


def test_text_arrives_while_the_model_generates(serve, events):
    with FakeBedrock(word_interval_s=0.1) as slow, serve(bedrock_url=slow.url) as served:
        served.events("warm up")
        response = served.post("Hello. [[say 12]]")
        came = [(name, time.monotonic()) for name, _ in events(response)]
    names = [name for name, _ in came]
    assert (names[0], names[-1]) == ("start", "result")
    first_text = came[names.index("text")][1]
    assert came[-1][1] - first_text > 0.5
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"


def test_the_joined_deltas_equal_the_answer(streaming):
    events = streaming.events("Please. [[say 400]]")
    text = "".join(content["text"] for name, content in events if name == "text")
    assert text.strip() == events[-1][1]["response"]
    assert len([name for name, _ in events if name == "text"]) > 100


def test_a_buffered_url_answers_with_json_and_a_header_that_names_the_mode(serve, bedrock):
    with serve(bedrock_url=bedrock.url, streaming=False) as served:
        response = served.post("What is 6 * 7?")
        body = json.load(response)
        plain = served.post("What is 6 * 7?", accept="application/json")
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-response-mode"] == "buffered"
    assert body["success"] is True
    assert "x-response-mode" not in plain.headers


@pytest.mark.parametrize("accept", ["", "*/*", "text/*", "text/event-stream;q=0", "application/json", ";;q="])
def test_a_streaming_url_answers_json_without_an_accept_of_event_streams(streaming, accept):
    response = streaming.post("What is 6 * 7?", accept=accept)
    assert response.status == 200
    assert response.headers["content-type"] == "application/json"
    assert "42" in json.load(response)["response"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("HEAD", "/health", 200), ("OPTIONS", "/", 204), ("GET", "/nope", 404), ("PUT", "/", 405)],
)
def test_a_streaming_url_handles_every_method_like_a_buffered_one(streaming, method, path, status):
    connection = http.client.HTTPConnection(urlsplit(streaming.url).netloc, timeout=60)
    connection.request(method, path, headers={"accept": "text/event-stream"})
    response = connection.getresponse()
    assert response.status == status
    assert (response.read() == b"") == (method in ("HEAD", "OPTIONS"))
    connection.request("GET", "/health")
    assert connection.getresponse().status == 200, "what follows on the connection is read as it was sent"


def test_a_request_rejected_before_the_stream_keeps_its_status(streaming):
    response = streaming.post("")
    assert response.status == 400
    assert json.load(response)["error"]["code"] == "invalid_request"


@pytest.mark.parametrize(
    ("directive", "code"),
    [("[[break]]", "model_error"), ("[[cut]]", "model_error"), ("[[deny]]", "model_access_denied")],
)
def test_a_model_that_fails_ends_the_stream_with_an_error_event(streaming, directive, code):
    events = streaming.events(f"Tell me. {directive}")
    assert (events[0][0], events[-1][0]) == ("start", "error")
    assert events[-1][1]["success"] is False
    assert events[-1][1]["error"]["code"] == code
    assert events[-1][1]["run_id"] == events[0][1]["run_id"]


def test_the_deadline_ends_the_stream_and_the_next_request_succeeds(serve, bedrock):
    with serve(bedrock_url=bedrock.url, timeout_s=4.0) as served:
        events = served.events("Slowly. [[drip]]")
        assert "text" in [name for name, _ in events]
        assert events[-1][1]["error"]["code"] == "deadline_exceeded"
        after = served.events("What is 6 * 7?")
        assert served.starts == 1
    assert after[-1][0] == "result"
    assert {content["run_id"] for _, content in after if "run_id" in content} == {after[0][1]["run_id"]}
    assert "".join(content["text"] for name, content in after if name == "text").endswith(
        after[-1][1]["response"]
    )


def test_comments_are_sent_until_the_deadline_while_the_model_sends_nothing(serve, bedrock):
    with serve(bedrock_url=bedrock.url, timeout_s=15.0) as served:
        said = served.post("Anything. [[hang]]").read()
    assert b"\n\n: still working\n\n" in said
    assert b"deadline_exceeded" in said.partition(b"event: error\n")[2]


def test_the_next_request_succeeds_after_a_client_disconnects(serve, events):
    with (
        FakeBedrock(word_interval_s=0.02) as slow,
        serve(bedrock_url=slow.url, reserved_concurrency=1) as served,
    ):
        response = served.post("Hello. [[say 60]]")
        next(events(response))
        response.close()
        until = time.monotonic() + 60
        while (response := served.post("What is 6 * 7?")).status == 429 and time.monotonic() < until:
            response.read()
            time.sleep(0.1)
        assert list(events(response))[-1][0] == "result"
        assert served.starts == 1


@pytest.fixture
def retrying(serve, bedrock, source, tmp_path):
    """An agent that repeats a throttled model call itself."""
    code = tmp_path / "src"
    shutil.copytree(source, code, ignore=shutil.ignore_patterns("__pycache__"))
    agent, strategy = code / "agent.py", "ModelRetryStrategy(max_attempts=2, initial_delay=1, max_delay=1)"
    text = agent.read_text()
    assert "retry_strategy=None" in text
    agent.write_text(
        "from strands import ModelRetryStrategy\n"
        + text.replace("retry_strategy=None", f"retry_strategy={strategy}")
    )
    with serve(bedrock_url=bedrock.url, code=code) as served:
        yield served


def test_after_a_retry_a_client_that_joins_the_text_gets_the_answer_once(retrying):
    events = retrying.events("[[throttle_late 1]] Please retry. [[say 20]]")
    names = [name for name, _ in events if name]
    first, last = names.index("reset"), len(names) - 1
    assert "text" in names[:first], "text was sent before the call failed"
    assert names[last] == "result"
    joined = ""
    for name, content in events:
        joined = "" if name == "reset" else joined + (content["text"] if name == "text" else "")
    assert joined.strip() == events[-1][1]["response"]
    assert joined.split() == [f"word{number}" for number in range(20)]


def test_after_a_retry_invoke_prints_the_answer_once(retrying, capsys):
    assert (
        invoke.main(["--url", retrying.url, "--stream", "[[throttle_late 1]] Retry, please. [[say 20]]"]) == 0
    )
    assert capsys.readouterr().out.split() == [f"word{number}" for number in range(20)]


def test_a_slow_reader_loses_nothing(streaming, events):
    response = streaming.post("Please. [[say 20000]]")
    time.sleep(1.5)
    heard = list(events(response))
    text = "".join(content["text"] for name, content in heard if name == "text")
    assert text.strip() == heard[-1][1]["response"]
    assert len(text.split()) >= 20000


def test_the_trace_is_exported_completely_and_after_the_stream(serve, events):
    with FakeBedrock(word_interval_s=0.05) as slow, FakeLangfuse() as langfuse:
        keys = {
            "LANGFUSE_PUBLIC_KEY": langfuse.public_key,
            "LANGFUSE_SECRET_KEY": langfuse.secret_key,
            "LANGFUSE_HOST": langfuse.url,
        }
        with serve(bedrock_url=slow.url, environment=keys) as served:
            coming = events(served.post("Hello. [[say 20]]"))
            started = next(content for name, content in coming if name == "start")
            assert next(name for name, _ in coming) == "text"
            assert langfuse.exports == []
            *_, (last, result) = coming
            trace = langfuse.wait_for(started["trace_id"])
    assert (last, result["trace_id"]) == ("result", started["trace_id"])
    assert result["response"] in trace.root.attributes["langfuse.observation.output"]
    assert trace.named("chat")


DIES = """
import os
from traced_agent.streaming.response_writer import ResponseWriters
writers = ResponseWriters(os.environ, streaming=True)

def handler(event, context):
    with writers.open(context.aws_request_id, 5) as writer:
        on_event = writer.start_stream("text/event-stream", {"run_id": "r"})
        on_event(data="Half of ")
        if event.get("die"):
            raise ValueError("secret")
"""


def test_a_handler_that_raises_in_mid_stream_fails_the_invocation_and_keeps_the_environment(
    serve, source, tmp_path
):
    shutil.copytree(source / "traced_agent", tmp_path / "traced_agent")
    (tmp_path / "dies.py").write_text(DIES)
    with serve(code=tmp_path, handler="dies.handler") as served:
        invocation = served.environments.invoke(b'{"die": true}')
        assert b"Half of " in invocation.payload
        assert invocation.error["errorType"] == "Function.ValueError"
        again = served.environments.invoke(b'{"die": true}')
        assert again.error["errorType"] == "Function.ValueError"
        assert served.starts == 1
