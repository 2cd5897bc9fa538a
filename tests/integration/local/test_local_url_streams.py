"""A Function URL with InvokeMode RESPONSE_STREAM."""

import time

import httpx
import pytest

GIVEN = "def handler(event, context): import json; return json.loads(event['body'])"

STREAM = """
import http.client, json, os, time

def handler(event, context):
    asked = json.loads(event["body"])
    connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    connection.putrequest("POST", "/2018-06-01/runtime/invocation/%s/response" % context.aws_request_id)
    connection.putheader("Lambda-Runtime-Function-Response-Mode", "streaming")
    connection.putheader("Transfer-Encoding", "chunked")
    connection.putheader("Content-Type", "application/vnd.awslambda.http-integration-response")
    connection.endheaders()
    head = {"statusCode": 201, "headers": {"Content-Type": "text/event-stream"}, "cookies": ["a=b"]}
    head = json.dumps(head)
    for piece in [head[:9], head[9:] + "\\0" * 8 + "first", *asked["words"] * asked.get("times", 1)]:
        connection.send(b"%x\\r\\n%b\\r\\n" % (len(piece.encode()), piece.encode()))
        time.sleep(asked.get("pause", 0))
    if asked.get("crash"):
        os._exit(1)
    connection.send(b"0\\r\\n\\r\\n")
    connection.getresponse()
"""


def test_a_stream_arrives_while_it_is_written(served):
    url = served(STREAM, streaming=True)
    began = time.monotonic()
    with httpx.stream("POST", url, json={"words": [" second", " third"], "pause": 0.4}) as response:
        pieces = [(piece, time.monotonic() - began) for piece in response.iter_raw()]
    assert (response.status_code, response.headers["content-type"]) == (201, "text/event-stream")
    assert response.headers["set-cookie"] == "a=b"
    assert b"".join(piece for piece, _ in pieces) == b"first second third"
    assert pieces[-1][1] - pieces[0][1] > 0.5


def test_a_buffered_url_does_not_stream(served):
    url = served(STREAM)
    with httpx.stream("POST", url, json={"words": [" second"], "pause": 0.3}) as response:
        pieces = list(response.iter_raw())
    assert (response.status_code, pieces) == (201, [b"first second"])
    assert response.headers["content-length"] == "12"


def test_a_stream_that_breaks_is_cut_off_at_the_client(served):
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.post(served(STREAM, streaming=True), json={"words": ["half"], "crash": True})


def test_a_client_that_disconnects_does_not_affect_others(served):
    url = served(STREAM, streaming=True)
    with httpx.stream("POST", url, json={"words": ["x" * 100_000] * 30, "pause": 0.05}) as response:
        next(response.iter_raw())
    assert httpx.post(url, json={"words": [" whole"]}).text == "first whole"


def test_a_slow_reader_loses_nothing(served):
    body = {"words": ["x" * 500_000], "times": 20}
    with httpx.stream("POST", served(STREAM, streaming=True), json=body) as response:
        size = 0
        for piece in response.iter_raw(500_000):
            size += len(piece)
            time.sleep(0.01)
    assert size == 5 + 20 * 500_000


def test_a_streaming_url_passes_a_buffered_response_on_uninterpreted(served):
    said = {"statusCode": 418, "body": "hello"}
    response = httpx.post(served(GIVEN, streaming=True), json=said)
    assert (response.status_code, response.json()) == (200, said)
    assert response.headers["content-type"] == "application/octet-stream"
