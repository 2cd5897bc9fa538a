"""The bytes that the function sends and the client receives, with each known runtime client."""

import json
import re
from pathlib import Path

import pytest

from tools.local.runtime.function import RUNTIME

RUNTIMES = [RUNTIME, *sorted(Path(__file__).parent.glob("awslambdaric-*.txt"))]
INTEGRATION = "application/vnd.awslambda.http-integration-response"
NUL = bytes(8)


def version(lock):
    return re.search(r"awslambdaric==(\S+)", lock.read_text())[1]


def url_event(accept):
    return json.dumps(
        {
            "version": "2.0",
            "rawPath": "/",
            "headers": {"content-type": "application/json", "accept": accept},
            "requestContext": {"http": {"method": "POST", "path": "/"}},
            "body": json.dumps({"query": "What is 6 * 7?"}),
        }
    ).encode()


@pytest.fixture(scope="module", params=RUNTIMES, ids=version)
def served(request, serve, bedrock):
    with serve(bedrock_url=bedrock.url, runtime=request.param) as served:
        yield served


def test_a_stream_is_a_prelude_and_events(served):
    invocation = served.environments.invoke(url_event("text/event-stream"))
    payload = invocation.payload
    assert invocation.error is None
    assert (invocation.streamed, invocation.content_type) == (True, INTEGRATION)
    prelude = (
        b'{"statusCode": 200, "headers": '
        b'{"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-store"}}'
    )
    result = payload.partition(b"event: result\ndata: ")[2].removesuffix(b"\n\n")
    answer = json.loads(result)
    words = [
        b"event: text\ndata: %b\n\n" % text
        for text in re.findall(rb"^event: text\ndata: (.*)$", payload, re.MULTILINE)
    ]
    tool = [
        b'event: tool\ndata: {"name": "calculator", "state": "%b"}\n\n' % state
        for state in (b"started", b"finished")
    ]
    before = len(words) - answer["response"].count(" ") - 1
    start = json.dumps({"run_id": answer["run_id"], "trace_id": answer["trace_id"]}).encode()
    assert payload == b"".join(
        (
            prelude + NUL,
            b"retry: 86400000\nevent: start\ndata: " + start + b"\n\n",
            *words[:before],
            *tool,
            *words[before:],
            b"event: result\ndata: " + result + b"\n\n",
        )
    )
    assert answer["success"] is True
    assert "42" in answer["response"]


def test_json_has_the_same_format(served):
    invocation = served.environments.invoke(url_event("application/json"))
    assert (invocation.streamed, invocation.content_type) == (True, INTEGRATION)
    prelude, _, body = invocation.payload.partition(NUL)
    headers = {"cache-control": "no-store", "content-type": "application/json"}
    assert json.loads(prelude) == {"statusCode": 200, "headers": headers}
    assert "42" in json.loads(body)["response"]


def test_the_runtime_client_continues_with_the_next_request(served):
    for accept in ("text/event-stream", "*/*", "text/event-stream"):
        assert served.environments.invoke(url_event(accept)).error is None
    assert served.starts == 1


def test_three_minor_versions_are_tested():
    assert len({version(lock).rsplit(".", 1)[0] for lock in RUNTIMES}) == 3
