"""The Function URL speaks HTTP/1 with clients of every kind, polite or not."""

import contextlib
import json
import socket
from urllib.parse import urlsplit

import httpx
import pytest

ECHO = "def handler(event, context): return event"


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_every_method_reaches_the_function(served, method):
    assert httpx.request(method, served(ECHO)).json()["requestContext"]["http"]["method"] == method


def test_a_chunked_body_is_one_body(served):
    event = httpx.post(
        served(ECHO), content=iter([b"a", b"b"]), headers={"content-type": "text/plain"}
    ).json()
    assert event["body"] == "ab"


def test_head_has_no_body(served):
    response = httpx.head(served(ECHO))
    assert (response.status_code, response.content) == (200, b"")


def test_too_many_headers_are_rejected_and_do_not_affect_others(served):
    url = served(ECHO)
    many = httpx.get(url, headers=[(f"x-{number}", "y") for number in range(300)])
    long = httpx.get(url, headers={"x-long": "y" * 100_000})
    assert {many.status_code, long.status_code} == {431}
    assert httpx.get(url).status_code == 200


@pytest.mark.parametrize(
    "sent",
    [
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhalf",
        b"POST / HTTP/1.1\r\nhost",
        b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5\r\nha",
        b"",
    ],
)
def test_a_half_sent_request_is_dropped_and_blocks_no_other(served, sent):
    url = served(ECHO, client_timeout_s=1.0)
    with connected(url) as client:
        client.sendall(sent)
        assert httpx.get(url).status_code == 200
        client.settimeout(10)
        assert client.recv(1) == b""


@pytest.mark.parametrize("length", [b"-1", b"many", b"1e3"])
def test_a_wrong_length_is_400(served, length):
    with connected(served(ECHO)) as client:
        client.sendall(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: " + length + b"\r\n\r\n")
        assert client.recv(12) == b"HTTP/1.1 400"


def test_connections_are_kept_and_a_response_is_one_segment(served):
    with connected(served(ECHO)) as client:
        client.settimeout(10)
        for _ in range(20):
            client.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            head, _, body = client.recv(65536).partition(b"\r\n\r\n")  # a second segment would wait for Nagle
            assert head.startswith(b"HTTP/1.1 200")
            assert json.loads(body)["rawPath"] == "/"


def connected(url):
    address = urlsplit(url)
    return contextlib.closing(socket.create_connection((address.hostname, address.port)))


def test_the_event_is_json_for_any_header(served):
    with connected(served(ECHO)) as client:
        client.sendall(b"GET / HTTP/1.1\r\nhost: x\r\nx-odd: \xff\xfe\r\nconnection: close\r\n\r\n")
        client.settimeout(10)
        seen = b""
        while piece := client.recv(65536):
            seen += piece
    assert seen.startswith(b"HTTP/1.1 200")
    assert json.loads(seen.partition(b"\r\n\r\n")[2])["headers"]["x-odd"]


@pytest.mark.parametrize("target", [b"//[", b"http://[", b"*", b"/%zz?%zz", b"/a?b?c#d"])
def test_an_odd_target_reaches_the_function_or_is_400(served, target):
    with connected(served(ECHO)) as client:
        client.sendall(b"GET " + target + b" HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        client.settimeout(10)
        assert client.recv(12) in (b"HTTP/1.1 200", b"HTTP/1.1 400")


def sent(url, request):
    """The complete response to these bytes."""
    with connected(url) as client:
        client.sendall(request)
        client.settimeout(10)
        seen = b""
        while piece := client.recv(65536):
            seen += piece
    return seen


def test_a_nul_in_a_header_is_400(served):
    request = b"GET / HTTP/1.1\r\nhost: x\r\nx-odd: \x00\r\n\r\n"
    assert sent(served(ECHO), request).startswith(b"HTTP/1.1 400")


def test_an_http_1_0_client_gets_no_chunks(served):
    head, _, body = sent(served(ECHO), b"GET /path HTTP/1.0\r\n\r\n").partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head.lower()
    assert json.loads(body)["rawPath"] == "/path"


def test_an_http_1_0_client_gets_a_stream_that_ends_with_the_connection(served):
    head, _, body = sent(served(ECHO, streaming=True), b"GET / HTTP/1.0\r\n\r\n").partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head.lower()
    assert json.loads(body)["rawPath"] == "/"


@pytest.mark.parametrize("method", [b"TRACE", b"PROPFIND", b"QUERY"])
def test_an_unknown_method_reaches_the_function(served, method):
    response = sent(served(ECHO), method + b" / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    event = json.loads(response.partition(b"\r\n\r\n")[2])
    assert event["requestContext"]["http"]["method"] == method.decode()


def test_a_connect_request_is_rejected_with_json(served):
    head, _, body = sent(served(ECHO), b"CONNECT a.example:443 HTTP/1.1\r\nhost: x\r\n\r\n").partition(
        b"\r\n\r\n"
    )
    assert head.startswith(b"HTTP/1.1 400")
    assert json.loads(body) == {"message": "Bad Request"}


def test_a_whole_url_as_target_is_its_path_and_query(served):
    request = b"GET http://x.example/a/b?c=d HTTP/1.1\r\nhost: x.example\r\nconnection: close\r\n\r\n"
    event = json.loads(sent(served(ECHO), request).partition(b"\r\n\r\n")[2])
    assert (event["rawPath"], event["rawQueryString"]) == ("/a/b", "c=d")


def test_a_client_that_waits_for_100_continue_gets_it(served):
    with connected(served(ECHO)) as client:
        client.settimeout(10)
        client.sendall(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n")
        assert client.recv(4096).startswith(b"HTTP/1.1 100")
        client.sendall(b"{}")
        assert client.recv(65536).startswith(b"HTTP/1.1 200")


def test_a_body_that_is_too_large_is_rejected_with_a_reason(served):
    length = 8 * 1024 * 1024
    request = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % length + b"x" * length
    assert sent(served(ECHO), request).startswith(b"HTTP/1.1 413")


def test_the_response_event_and_runtime_have_one_x_ray_trace(served):
    code = "import os\ndef handler(event, context): return [event['headers'], os.environ['_X_AMZN_TRACE_ID']]"
    response = httpx.get(served(code))
    headers, environment = response.json()
    root = headers["x-amzn-trace-id"].partition("=")[2]
    assert response.headers["x-amzn-trace-id"] == environment
    assert environment.startswith(f"Root={root};Parent=")


def test_the_x_ray_trace_of_the_caller_is_continued(served):
    root = "Root=1-5759e988-bd862e3fe1be46a994272793"
    response = httpx.get(served(ECHO), headers={"x-amzn-trace-id": f"{root};Sampled=1"})
    assert response.headers["x-amzn-trace-id"].startswith(f"{root};Parent=")
