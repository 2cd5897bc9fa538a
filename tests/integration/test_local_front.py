"""The Function URL on loopback behaves as AWS documents it; on tiny handlers, without layers."""

import base64
import contextlib
import datetime as dt
import json
import socket
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import httpx
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tools.local.function_url.server import CREDENTIALS, FunctionUrlServer
from tools.local.runtime.environment_pool import EnvironmentPool
from tools.local.runtime.function import Cors, Function

ECHO = "def handler(event, context): return event"
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


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Makes the URL of a function with this code; the same function is made once."""
    with contextlib.ExitStack() as stack:
        made = {}

        def make(code, client_timeout_s=60.0, **fields):
            key = (code, client_timeout_s, repr(fields))
            if key not in made:
                directory = tmp_path_factory.mktemp("code")
                (directory / "app.py").write_text(textwrap.dedent(code))
                function = Function(code=directory, handler="app.handler", **fields)
                environments = stack.enter_context(EnvironmentPool(function, log=lambda line: None))
                made[key] = stack.enter_context(
                    FunctionUrlServer(environments, client_timeout_s=client_timeout_s)
                ).url
            return made[key]

        yield make


def test_the_event_is_payload_format_2(served):
    url = served(ECHO)
    response = httpx.post(
        f"{url}a%20b/c?x=1&x=2&y=&z=%26",
        json={"k": "v"},
        headers=[("X-Twice", "one"), ("x-twice", "two"), ("Cookie", "a=1; b=2"), ("User-Agent", "mine")],
    )
    event = response.json()
    assert (event["version"], event["rawPath"], event["rawQueryString"]) == (
        "2.0",
        "/a%20b/c",
        "x=1&x=2&y=&z=%26",
    )
    assert event["queryStringParameters"] == {"x": "1,2", "y": "", "z": "&"}
    assert event["headers"]["x-twice"] == "one,two"
    assert event["headers"] == {name.lower(): value for name, value in event["headers"].items()}
    assert "cookie" not in event["headers"]
    assert event["cookies"] == ["a=1", "b=2"]
    assert (event["body"], event["isBase64Encoded"]) == ('{"k":"v"}', False)
    http = event["requestContext"]["http"]
    assert (http["method"], http["path"], http["sourceIp"]) == ("POST", "/a%20b/c", "127.0.0.1")
    assert http["userAgent"] == "mine"
    assert event["requestContext"]["accountId"] == "anonymous"
    assert event["requestContext"]["routeKey"] == event["routeKey"] == "$default"


@pytest.mark.parametrize(
    ("content_type", "body", "text"),
    [
        ("application/json; charset=utf-8", "\u00e9".encode(), True),
        ("text/plain", b"text", True),
        ("application/vnd.api+json", b"{}", True),
        ("application/x-www-form-urlencoded", b"a=b", False),
        ("application/octet-stream", b"\x00\xff", False),
        ("application/json", b"\xff", False),
        ("", b"untyped", False),
    ],
)
def test_what_is_not_text_comes_in_base64(served, content_type, body, text):
    event = httpx.post(served(ECHO), content=body, headers={"content-type": content_type}).json()
    assert event["isBase64Encoded"] is not text
    assert (event["body"].encode() if text else base64.b64decode(event["body"])) == body


def test_no_body_is_no_body(served):
    event = httpx.get(served(ECHO)).json()
    assert "body" not in event
    assert event["isBase64Encoded"] is False


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_every_method_reaches_the_function(served, method):
    assert httpx.request(method, served(ECHO)).json()["requestContext"]["http"]["method"] == method


def test_a_chunked_body_is_one_body(served):
    event = httpx.post(
        served(ECHO), content=iter([b"a", b"b"]), headers={"content-type": "text/plain"}
    ).json()
    assert event["body"] == "ab"


def test_the_response_is_what_the_function_says(served):
    said = {
        "statusCode": 418,
        "headers": {"X-Own": "value", "Content-Type": "text/plain"},
        "cookies": ["a=1; HttpOnly", "b=2"],
        "body": base64.b64encode(b"\x00binary").decode(),
        "isBase64Encoded": True,
    }
    response = httpx.post(served(GIVEN), json=said)
    assert (response.status_code, response.content) == (418, b"\x00binary")
    assert (response.headers["x-own"], response.headers["content-type"]) == ("value", "text/plain")
    assert response.headers.get_list("set-cookie") == ["a=1; HttpOnly", "b=2"]
    assert response.headers["x-amzn-requestid"]


@pytest.mark.parametrize(("said", "body"), [({"a": 1}, b'{"a": 1}'), ("plain", b"plain"), ([1], b"[1]")])
def test_a_response_without_a_status_is_a_200(served, said, body):
    response = httpx.post(served(GIVEN), json=said)
    assert (response.status_code, response.content) == (200, body)
    assert response.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    "said",
    [
        {"statusCode": "ok"},
        {"statusCode": 1000},
        {"statusCode": 200, "headers": ["a"]},
        {"statusCode": 200, "headers": {"x": "a\r\nset-cookie: stolen"}},
        {"statusCode": 200, "headers": {"a b": "c"}},
        {"statusCode": 200, "body": "%%%", "isBase64Encoded": True},
    ],
)
def test_a_malformed_response_is_502(served, said):
    response = httpx.post(served(GIVEN), json=said)
    assert (response.status_code, response.text) == (502, "Internal Server Error")
    assert "set-cookie" not in response.headers


def test_an_exception_a_crash_and_a_timeout_are_502(served):
    code = """
        import os, time
        def handler(event, context):
            exec(event["body"])
    """
    url = served(code, timeout_s=1)
    for fault in ("raise ValueError", "os._exit(1)", "time.sleep(9)"):
        response = httpx.post(url, content=fault, headers={"content-type": "text/plain"})
        assert (response.status_code, response.text) == (502, "Internal Server Error")


def test_head_has_no_body(served):
    response = httpx.head(served(ECHO))
    assert (response.status_code, response.content) == (200, b"")


def test_six_megabytes_go_in_and_no_more(served):
    url = served("def handler(event, context): return len(event['body'])")
    plain = {"content-type": "text/plain"}
    assert httpx.post(url, content=b"x" * 6_000_000, headers=plain).text == "6000000"
    too_large = httpx.post(url, content=b"x" * (6 * 1024 * 1024 + 1), headers=plain)
    assert too_large.status_code == 413
    chunked = httpx.post(url, content=(b"x" * 65536 for _ in range(97)), headers=plain)
    assert chunked.status_code == 413
    assert httpx.post(url, content=b"x", headers=plain).text == "1"


def test_past_the_concurrency_it_is_429(served):
    url = served("import time\ndef handler(event, context): time.sleep(1)", reserved_concurrency=1)
    with ThreadPoolExecutor(1) as caller:
        first = caller.submit(httpx.get, url)
        time.sleep(0.4)
        assert httpx.get(url).status_code == 429
        assert first.result().status_code == 200


def test_a_header_bomb_is_refused_and_harms_nobody(served):
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
def test_a_half_sent_request_is_dropped_and_holds_nobody_up(served, sent):
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


def test_connections_are_kept_and_no_segment_waits(served):
    with httpx.Client() as client:
        url = served(ECHO)
        client.get(url)
        began = time.monotonic()
        for _ in range(20):
            assert client.get(url).status_code == 200
        assert time.monotonic() - began < 20 * 0.04  # a call that waits for Nagle and delayed ACK takes more


def test_cors_is_answered_without_the_function(served):
    cors = Cors(
        allow_origins=("https://a.example",),
        allow_methods=("GET", "POST"),
        allow_headers=("content-type",),
        expose_headers=("x-own",),
        max_age_s=60,
    )
    url = served("raise RuntimeError", cors=cors)
    asks = {"origin": "https://a.example", "access-control-request-method": "POST"}
    preflight = httpx.options(url, headers=asks)
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == "https://a.example"
    assert preflight.headers["access-control-allow-methods"] == "GET,POST"
    assert preflight.headers["access-control-allow-headers"] == "content-type"
    assert preflight.headers["access-control-max-age"] == "60"
    stranger = httpx.options(url, headers={**asks, "origin": "https://b.example"})
    assert "access-control-allow-origin" not in stranger.headers


@pytest.mark.parametrize(
    ("cors", "expected"),
    [
        (Cors(allow_origins=("*",)), "*"),
        (Cors(allow_origins=("*",), allow_credentials=True), "https://a.example"),
        (Cors(allow_origins=("https://b.example",)), None),
        (None, None),
    ],
)
def test_an_answer_bears_the_urls_own_cors_headers(served, cors, expected):
    response = httpx.get(served(ECHO, cors=cors), headers={"origin": "https://a.example"})
    assert response.status_code == 200
    assert response.headers.get("access-control-allow-origin") == expected


def signed(
    url, body=b"{}", *, access_key=None, secret=None, region="us-east-1", service="lambda", headers=()
):
    request = AWSRequest(
        "POST", url, data=body, headers={"content-type": "application/json", **dict(headers)}
    )
    key = Credentials(access_key or CREDENTIALS.access_key, secret or CREDENTIALS.secret_key)
    SigV4Auth(key, service, region).add_auth(request)
    return request.prepare()


def send(prepared, body=None):
    content = prepared.body if body is None else body
    return httpx.post(prepared.url, content=content, headers=dict(prepared.headers.items()))


@pytest.mark.parametrize("path", ["", "health", "a%20b?x=1&b=%2F&a=2", "?flag"])
def test_a_signed_request_passes_and_names_its_caller(served, path):
    response = send(signed(served(ECHO, auth="iam") + path))
    assert response.status_code == 200
    iam = response.json()["requestContext"]["authorizer"]["iam"]
    assert iam["accessKey"] == CREDENTIALS.access_key


def test_what_is_not_signed_as_it_must_be_is_403(served):
    url = served(ECHO, auth="iam")
    assert httpx.post(url, json={}).status_code == 403
    assert httpx.post(url, json={}, headers={"authorization": "Bearer x"}).status_code == 403
    refused = {
        "a wrong secret": send(signed(url, secret="wrong")),
        "an unknown key": send(signed(url, access_key="AKIAUNKNOWN")),
        "a changed body": send(signed(url), body=b"[]"),
        "another region": send(signed(url, region="eu-west-1")),
        "another service": send(signed(url, service="execute-api")),
    }
    assert {why: response.status_code for why, response in refused.items()} == dict.fromkeys(refused, 403)
    assert refused["a wrong secret"].headers["x-amzn-errortype"] == "InvalidSignatureException"
    assert refused["an unknown key"].headers["x-amzn-errortype"] == "UnrecognizedClientException"


@pytest.mark.parametrize("minutes", [-6, 6])
def test_an_old_or_early_date_is_403(served, minutes, monkeypatch):
    then = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=minutes)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: then.replace(tzinfo=None))
    response = send(signed(served(ECHO, auth="iam")))
    assert response.status_code == 403
    assert "expired" in response.json()["Message"]


def test_a_changed_query_or_path_is_403(served):
    url = served(ECHO, auth="iam")
    prepared = signed(f"{url}a?x=1")
    prepared.url = prepared.url.replace("x=1", "x=2")
    assert send(prepared).status_code == 403


def test_a_stream_comes_as_it_is_said(served):
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


def test_a_client_that_goes_away_harms_nobody(served):
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


def connected(url):
    address = urlsplit(url)
    return contextlib.closing(socket.create_connection((address.hostname, address.port)))


def test_the_event_is_json_for_any_header(served):
    with connected(served(ECHO)) as client:
        client.sendall(b"GET / HTTP/1.1\r\nhost: x\r\nx-odd: \xff\xfe\x00\r\nconnection: close\r\n\r\n")
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
