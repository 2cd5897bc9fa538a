import base64
import json
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import pytest

from tests.unit.traced_agent.runtime_api import RuntimeApi, dechunked
from traced_agent.streaming.lambda_response import (
    StreamingRuntime,
    body_bytes,
    encode_response,
    prelude,
)

OK = {"statusCode": 200, "headers": {"content-type": "text/plain"}}
PRELUDE = b'{"statusCode": 200, "headers": {"content-type": "text/plain"}}' + bytes(8)


class Client:
    """The least of a runtime client that streaming needs."""

    def __init__(self):
        self.posted = []

    def wait_next_invocation(self):
        return SimpleNamespace(invocation_id="inv-7")

    def post_invocation_result(self, invoke_id, result_data, content_type="application/json"):
        self.posted.append((invoke_id, result_data, content_type))

    def post_invocation_error(self, invoke_id, error_response_data, xray_fault):
        self.posted.append((invoke_id, error_response_data, xray_fault))


@pytest.fixture
def client_class():
    return type("LambdaRuntimeClient", (Client,), {})


def soon():
    return time.time() + 5


def chunk(data):
    return b"%x\r\n%b\r\n" % (len(data), data)


def test_a_stream_is_posted_byte_for_byte_as_the_runtime_api_documents_it(client_class):
    with RuntimeApi() as api:
        stream = StreamingRuntime(client_class, api.address).open("req-1", OK, deadline=soon())
        stream.write(b"one")
        stream.write("zwei €".encode())
        stream.end()
    assert api.head == [
        "POST /2018-06-01/runtime/invocation/req-1/response HTTP/1.1",
        f"Host: {api.address}",
        "Content-Type: application/vnd.awslambda.http-integration-response",
        "Lambda-Runtime-Function-Response-Mode: streaming",
        "Transfer-Encoding: chunked",
        "Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body",
    ]
    assert api.body == chunk(PRELUDE) + chunk(b"one") + chunk("zwei €".encode()) + b"0\r\n\r\n"


def test_an_empty_write_does_not_end_the_stream(client_class):
    with RuntimeApi() as api:
        stream = StreamingRuntime(client_class, api.address).open("req-1", OK, deadline=soon())
        stream.write(b"")
        stream.write(b"more")
        stream.end()
    assert dechunked(api.body) == PRELUDE + b"more"


def test_a_stream_that_breaks_off_ends_with_error_trailers_without_internals(client_class):
    with RuntimeApi() as api:
        stream = StreamingRuntime(client_class, api.address).open("req-1", OK, deadline=soon())
        stream.end(KeyError("secret"))
    last, kind, content, *_ = api.body.removeprefix(chunk(PRELUDE)).split(b"\r\n")
    assert last == b"0"
    assert kind == b"Lambda-Runtime-Function-Error-Type: Function.KeyError"
    name, _, encoded = content.partition(b": ")
    assert name == b"Lambda-Runtime-Function-Error-Body"
    assert json.loads(base64.b64decode(encoded))["errorType"] == "Function.KeyError"
    assert b"secret" not in base64.b64decode(encoded)


def test_the_invocation_id_is_echoed_where_lambda_gives_one(client_class):
    with RuntimeApi() as api:
        runtime = StreamingRuntime(client_class, api.address)
        client_class().wait_next_invocation()
        runtime.post("req-1", OK, deadline=soon())
    assert "Lambda-Runtime-Invocation-Id: inv-7" in api.head


def test_the_runtime_clients_post_is_skipped_once_for_an_answered_request_only(client_class):
    client = client_class()
    with RuntimeApi() as api:
        StreamingRuntime(client_class, api.address).post("req-1", OK, deadline=soon())
    client.post_invocation_result("req-1", "null")
    assert client.posted == []
    client.post_invocation_result("req-2", "{}", content_type="text/plain")
    client.post_invocation_error("req-3", "{}", "{}")
    assert client.posted == [("req-2", "{}", "text/plain"), ("req-3", "{}", "{}")]


def test_an_error_after_the_answer_has_begun_is_not_posted_a_second_time(client_class):
    client = client_class()
    with RuntimeApi() as api:
        StreamingRuntime(client_class, api.address).open("req-1", OK, deadline=soon()).end(ValueError())
    client.post_invocation_error("req-1", "{}", "{}")
    assert client.posted == []


@pytest.mark.parametrize(
    "modules",
    [
        {},
        {"awslambdaric.lambda_runtime_client": SimpleNamespace()},
        {"awslambdaric.lambda_runtime_client": SimpleNamespace(LambdaRuntimeClient=object)},
        {
            "awslambdaric.lambda_runtime_client": SimpleNamespace(
                LambdaRuntimeClient=type(
                    "Changed",
                    (Client,),
                    {"post_invocation_result": lambda self, result, invoke_id: None},
                )
            )
        },
    ],
    ids=["no client", "no class", "no posts", "other arguments"],
)
def test_an_unknown_runtime_client_is_not_changed_and_is_reported_in_log_and_metrics(modules, caplog, capsys):
    assert StreamingRuntime.find({"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:1"}, modules) is None
    assert "responses are buffered" in caplog.text
    [line] = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert line["RuntimeClientChanged"] == 1


def test_the_runtime_client_is_taken_over_where_it_is_as_needed(client_class):
    modules = {"awslambdaric.lambda_runtime_client": SimpleNamespace(LambdaRuntimeClient=client_class)}
    assert StreamingRuntime.find({"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:1"}, modules)


def test_a_client_that_disconnects_does_not_affect_the_run(client_class, caplog):
    with RuntimeApi(hurry=1) as api:
        stream = StreamingRuntime(client_class, api.address).open("req-1", OK, deadline=soon())
        for _ in range(200):
            stream.write(b"x" * 10_000)
        stream.end()
    assert caplog.text.count("the client closed the stream") == 1


def test_a_client_that_reads_nothing_is_disconnected_at_the_deadline(client_class):
    never = threading.Event()
    with RuntimeApi(pace=never) as api:
        stream = StreamingRuntime(client_class, api.address).open("req-1", OK, deadline=time.time())
        began = time.monotonic()
        for _ in range(400):
            stream.write(b"x" * 100_000)
        stream.end()
        assert time.monotonic() - began < 5
        never.set()


def test_a_slow_reader_loses_nothing(client_class):
    pace = threading.Event()
    text = b"".join(b"%06d " % number for number in range(40_000))
    with RuntimeApi(pace=pace) as api:
        stream = StreamingRuntime(client_class, api.address).open("req-1", OK, deadline=soon())
        threading.Timer(0.3, pace.set).start()
        for start in range(0, len(text), 1000):
            stream.write(text[start : start + 1000])
        stream.end()
    assert dechunked(api.body) == PRELUDE + text


def test_a_rejected_stream_is_logged(client_class, caplog):
    refusal = b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno"
    with RuntimeApi(receipt=refusal) as api:
        StreamingRuntime(client_class, api.address).post("req-1", OK, deadline=soon())
    assert "413" in caplog.text


# tracemalloc counts the allocations of all threads, so the stream has a process of its own.
MEASURE_MEMORY = """
import time, tracemalloc
from types import SimpleNamespace
from traced_agent.streaming.lambda_response import ResponseStream

class Sink:
    sock = SimpleNamespace(settimeout=lambda seconds: None)

    def send(self, data):
        pass

stream = ResponseStream(Sink(), time.time() + 600)
tracemalloc.start()
for _ in range(20_000):
    stream.write(b"x" * 1000)
print(tracemalloc.get_traced_memory()[1])
"""


def test_memory_stays_flat_for_any_length_of_the_answer():
    output = subprocess.run([sys.executable, "-c", MEASURE_MEMORY], check=True, capture_output=True).stdout
    assert int(output) < 100_000


def test_a_prelude_has_what_lambda_reads_and_nothing_else():
    response = {"statusCode": 204, "headers": {}, "cookies": ["a=b"], "body": "", "isBase64Encoded": False}
    assert json.loads(prelude(response).removesuffix(bytes(8))) == {
        "statusCode": 204,
        "headers": {},
        "cookies": ["a=b"],
    }


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ({"body": "é"}, "é".encode()),
        ({"body": base64.b64encode(b"\0\1").decode(), "isBase64Encoded": True}, b"\0\1"),
        ({}, b""),
    ],
)
def test_a_body_is_the_bytes_that_the_response_spells(response, expected):
    assert body_bytes(response) == expected
    assert encode_response({**OK, **response}) == PRELUDE + expected
