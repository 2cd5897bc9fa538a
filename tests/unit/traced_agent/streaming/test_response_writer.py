import json
import time

import pytest

from tests.unit.traced_agent.runtime_api import RuntimeApi, dechunked
from traced_agent.http.function_url import Response
from traced_agent.streaming.lambda_response import StreamingRuntime
from traced_agent.streaming.response_writer import ResponseWriter, ResponseWriters

ANSWER = Response.json(200, {"success": True, "response": "Four."})
REFUSAL = Response.json(504, {"success": False, "error": {"code": "deadline_exceeded"}})
OPENING = {"run_id": "3c9dfb1d", "trace_id": None}
SSE = "text/event-stream"


class Client:
    def wait_next_invocation(self):
        raise NotImplementedError

    def post_invocation_result(self, invoke_id, result_data):
        raise NotImplementedError

    def post_invocation_error(self, invoke_id, error_response_data):
        raise NotImplementedError


def streamed_by(api):
    client = type("LambdaRuntimeClient", (Client,), {})
    return ResponseWriter(StreamingRuntime(client, api.address), "req-1", time.time() + 5, streaming=True)


def answered(api):
    """What the URL's reader gets: status, headers, body."""
    metadata, _, body = dechunked(api.body).partition(bytes(8))
    return json.loads(metadata)["statusCode"], json.loads(metadata)["headers"], body.decode()


def test_a_buffered_url_gets_the_response_in_payload_v2():
    with ResponseWriter() as reply:
        assert reply.start_stream("application/json", OPENING) is None
        event = reply.finish(ANSWER)
    assert event["statusCode"] == 200
    assert json.loads(event["body"])["response"] == "Four."
    assert "x-response-mode" not in event["headers"]


def test_a_stream_requested_from_a_buffered_url_is_answered_buffered_with_a_header():
    with ResponseWriter() as reply:
        assert reply.start_stream(SSE, OPENING) is None
        event = reply.finish(ANSWER)
    assert event["headers"]["x-response-mode"] == "buffered"
    assert event["headers"]["content-type"] == "application/json"


@pytest.mark.parametrize(("last", "event"), [(ANSWER, "result"), (REFUSAL, "error")])
def test_a_stream_opens_with_the_run_and_closes_with_the_same_object_as_the_buffered_answer(last, event):
    with RuntimeApi() as api, streamed_by(api) as reply:
        hear = reply.start_stream(SSE, OPENING)
        hear(data="Four.")
        assert reply.finish(last) is None
    status, headers, body = answered(api)
    assert (status, headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    assert body == (
        'retry: 86400000\nevent: start\ndata: {"run_id": "3c9dfb1d", "trace_id": null}\n\n'
        'event: text\ndata: {"text": "Four."}\n\n'
        f"event: {event}\ndata: {last.body}\n\n"
    )


def test_on_a_streaming_url_other_answers_are_posted_whole_in_its_format():
    with RuntimeApi() as api, streamed_by(api) as reply:
        assert reply.start_stream("application/json", OPENING) is None
        assert reply.finish(ANSWER) is None
    assert answered(api) == (200, {"cache-control": "no-store", **ANSWER.headers}, ANSWER.body)


def test_an_answer_without_a_run_of_the_agent_is_posted_too():
    with RuntimeApi() as api, streamed_by(api) as reply:
        reply.finish(REFUSAL)
    assert answered(api)[0] == 504


def test_without_a_known_runtime_client_the_same_bytes_are_returned():
    with ResponseWriters({}, streaming=True).open("req-1", 5) as reply:
        assert reply.start_stream(SSE, OPENING) is None
        returned = reply.finish(ANSWER)
    metadata, _, body = returned.partition(bytes(8))
    assert json.loads(metadata)["headers"]["x-response-mode"] == "buffered"
    assert body.decode() == ANSWER.body


def test_a_run_that_crashes_ends_its_stream_visibly_incomplete():
    def die(reply):
        with reply:
            reply.start_stream(SSE, OPENING)(data="Fo")
            raise SystemExit

    with RuntimeApi() as api, pytest.raises(SystemExit):
        die(streamed_by(api))
    assert b"Lambda-Runtime-Function-Error-Type: Function.SystemExit" in api.body
    assert "result" not in answered(api)[2]
