"""Requests become events of payload format 2.0, and the function's response becomes HTTP."""

import base64
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tools.local.runtime.function import Cors

ECHO = "def handler(event, context): return event"
GIVEN = "def handler(event, context): import json; return json.loads(event['body'])"


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
def test_a_body_that_is_not_text_is_base64(served, content_type, body, text):
    event = httpx.post(served(ECHO), content=body, headers={"content-type": content_type}).json()
    assert event["isBase64Encoded"] is not text
    assert (event["body"].encode() if text else base64.b64decode(event["body"])) == body


def test_a_request_without_a_body_has_no_body_in_its_event(served):
    event = httpx.get(served(ECHO)).json()
    assert "body" not in event
    assert event["isBase64Encoded"] is False


def test_the_response_is_that_of_the_function(served):
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


def test_a_request_of_more_than_six_megabytes_is_rejected(served):
    url = served("def handler(event, context): return len(event['body'])")
    plain = {"content-type": "text/plain"}
    assert httpx.post(url, content=b"x" * 6_000_000, headers=plain).text == "6000000"
    too_large = httpx.post(url, content=b"x" * (6 * 1024 * 1024 + 1), headers=plain)
    assert too_large.status_code == 413
    chunked = httpx.post(url, content=(b"x" * 65536 for _ in range(97)), headers=plain)
    assert chunked.status_code == 413
    assert httpx.post(url, content=b"x", headers=plain).text == "1"


def test_above_the_concurrency_limit_the_status_is_429(served):
    url = served("import time\ndef handler(event, context): time.sleep(1)", reserved_concurrency=1)
    with ThreadPoolExecutor(1) as caller:
        first = caller.submit(httpx.get, url)
        time.sleep(0.4)
        assert httpx.get(url).status_code == 429
        assert first.result().status_code == 200


def test_a_preflight_is_answered_without_the_function(served):
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
def test_a_response_has_the_urls_own_cors_headers(served, cors, expected):
    response = httpx.get(served(ECHO, cors=cors), headers={"origin": "https://a.example"})
    assert response.status_code == 200
    assert response.headers.get("access-control-allow-origin") == expected
