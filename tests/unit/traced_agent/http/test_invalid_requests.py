"""What a request gets that cannot be answered: which status, which code, which words."""

import base64
import gzip
import json

import pytest

from traced_agent.errors import STATUS
from traced_agent.http.function_url import BODY_LIMIT

INVALID_JSON = {
    "an empty body": "",
    "white space": "  \n",
    "half an object": '{"query": "x"',
    "a trailing comma": '{"query": "x",}',
    "NaN": '{"query": "x", "metadata": {"k": NaN}}',
    "infinity": '{"query": -Infinity}',
    "a name twice": '{"query": "x", "query": "y"}',
    "a name twice, deep": '{"query": "x", "metadata": {"a": "1", "a": "2"}}',
    "half a surrogate pair": '{"query": "\\ud83d"}',
    "half a surrogate pair in a name": '{"query": "x", "\\udc00": 1}',
    "an endless nest": "[" * 200_000,
    "an endless nest of objects": '{"a":' * 50_000,
    "a number of 5,000 digits": '{"query": ' + "1" * 5_000 + "}",
}

INVALID_REQUESTS = {
    "an array": ("[]", None),
    "a string": ('"query"', None),
    "null": ("null", None),
    "no query": ("{}", "query"),
    "an empty query": ('{"query": ""}', "query"),
    "a query of white space": ('{"query": " \\n\\t "}', "query"),
    "a number for a query": ('{"query": 1}', "query"),
    "null for a query": ('{"query": null}', "query"),
    "messages for a query": ('{"query": [{"role": "assistant", "content": [{"text": "x"}]}]}', "query"),
    "a prompt that is empty": ('{"prompt": ""}', "prompt"),
    "query and prompt": ('{"query": "x", "prompt": "x"}', "prompt"),
    "too long a query": (json.dumps({"query": "x" * 10_001}), "query"),
    "an unknown field": ('{"query": "x", "model": "y"}', "model"),
    "an empty session": ('{"query": "x", "session_id": ""}', "session_id"),
    "a session beyond ASCII": ('{"query": "x", "session_id": "é"}', "session_id"),
    "a session with a line break": ('{"query": "x", "session_id": "a\\nb"}', "session_id"),
    "too long a session": (json.dumps({"query": "x", "session_id": "x" * 201}), "session_id"),
    "a number for a user": ('{"query": "x", "user_id": 7}', "user_id"),
    "a string for tags": ('{"query": "x", "tags": "a"}', "tags"),
    "a number for a tag": ('{"query": "x", "tags": ["a", 1]}', "tags[1]"),
    "an empty tag": ('{"query": "x", "tags": [""]}', "tags[0]"),
    "a tag of a run": ('{"query": "x", "tags": ["a", "run-3c9dfb1d"]}', "tags[1]"),
    "a tag like that of a run": ('{"prompt": "x", "tags": ["run-"]}', "tags[0]"),
    "a tag of a run in a demo": ('{"action": "run_demo", "tags": ["run-1"]}', "tags[0]"),
    "eleven tags": (json.dumps({"query": "x", "tags": ["t"] * 11}), "tags"),
    "an array for metadata": ('{"query": "x", "metadata": []}', "metadata"),
    "a number for a value": ('{"query": "x", "metadata": {"k": 1}}', "metadata.k"),
    "21 pairs": (json.dumps({"query": "x", "metadata": {str(n): "v" for n in range(21)}}), "metadata"),
    "a flood of names": (json.dumps({"query": "x", "metadata": {str(n): "v" for n in range(101)}}), None),
    "another action": ('{"action": "dance"}', "action"),
    "another demo": ('{"action": "run_demo", "parameters": {"demo_type": "x"}}', "parameters.demo_type"),
    "a string for parameters": ('{"action": "run_demo", "parameters": "x"}', "parameters"),
    "a demo with a query": ('{"action": "run_demo", "query": "x"}', "query"),
}


def refused(answer, status, code):
    got, body, headers = answer
    assert (got, body["success"], body["error"]["code"]) == (status, False, code)
    assert list(body) == [
        "success", "run_id", "timestamp", "error", "langfuse_url", "trace_filter", "trace_id", "trace_url",
    ]  # fmt: skip
    assert status == STATUS[code]
    return body["error"], headers


@pytest.mark.parametrize("body", INVALID_JSON.values(), ids=INVALID_JSON)
def test_invalid_json_is_rejected(calling, body):
    error, _ = refused(calling().post(body), 400, "invalid_json")
    assert "field" not in error


@pytest.mark.parametrize(("body", "field"), INVALID_REQUESTS.values(), ids=INVALID_REQUESTS)
def test_an_invalid_request_is_rejected_and_the_field_named(calling, body, field):
    called = calling()
    error, _ = refused(called.post(body), 400, "invalid_request")
    assert error.get("field") == field
    assert field is None or field in error["message"]
    assert called.model.requests == []


@pytest.mark.parametrize("raw", [b"\xff\xfe", b'{"query": "\xff"}', '{"query": "x"}'.encode("utf-16")])
def test_a_body_that_is_not_utf8_is_rejected(calling, raw):
    answer = calling().post(base64.b64encode(raw).decode(), is_base64=True)
    refused(answer, 400, "invalid_json")


def gzipped(called, raw, headers):
    return called.post(base64.b64encode(raw).decode(), is_base64=True, headers=headers)


@pytest.mark.parametrize("headers", [{}, {"content-encoding": "gzip"}, {"content-encoding": " X-GZIP"}])
def test_a_gzip_body_is_read(calling, headers):
    assert gzipped(calling(), gzip.compress(b'{"query": "Hi"}'), headers)[1]["query"] == "Hi"


@pytest.mark.parametrize(
    ("raw", "status", "code"),
    [
        (gzip.compress(b"x" * (BODY_LIMIT + 1)), 413, "too_large"),
        (gzip.compress(b'{"query": "Hi"}')[:-9], 400, "invalid_request"),
        (b"\x1f\x8b\x08\x00gzip", 400, "invalid_request"),
        (b"\x1f\x8b", 400, "invalid_request"),
    ],
    ids=["too large", "cut off", "damaged", "empty"],
)
def test_a_gzip_body_that_cannot_be_read_is_rejected(calling, raw, status, code):
    error, _ = refused(gzipped(calling(), raw, {"content-encoding": "gzip"}), status, code)
    assert "UTF-8" not in error["message"]


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip"])
def test_another_content_encoding_is_rejected_with_the_one_to_use(calling, encoding):
    error, _ = refused(
        gzipped(calling(), b"{}", {"content-encoding": encoding}), 415, "unsupported_media_type"
    )
    assert "gzip" in error["message"]


def test_two_content_types_are_rejected_with_the_reason(calling, event):
    headers = {"Content-Type": "application/json, text/plain"}
    error, _ = refused(calling()(event({"query": "x"}, headers=headers)), 415, "unsupported_media_type")
    assert "several Content-Type headers" in error["message"]


@pytest.mark.parametrize("blank", ["\x1c", "\x1d\x1e\x1f", "\x85", "\u2003", " \n"])
def test_text_that_bedrock_considers_blank_is_rejected(calling, blank):
    error, _ = refused(calling().post({"query": blank}), 400, "invalid_request")
    assert (error["field"], error["message"]) == ("query", "query must not be empty")


def test_a_body_that_is_not_base64_although_the_event_claims_it_is_rejected(calling):
    refused(calling().post('{"query": "x"}', is_base64=True), 400, "invalid_request")


def test_the_message_lists_the_fields_that_are_known(calling):
    error, _ = refused(calling().post({"query": "x", "model": "y"}), 400, "invalid_request")
    for field in ("query", "session_id", "user_id", "tags", "metadata"):
        assert field in error["message"]


def test_an_unknown_demo_is_rejected_with_the_list_of_demos(calling):
    demo = {"action": "run_demo", "parameters": {"demo_type": "advanced"}}
    error, _ = refused(calling().post(demo), 400, "invalid_request")
    assert error["message"] == "parameters.demo_type must be 'basic' or 'tools'"


@pytest.mark.parametrize("demo_type", [None, 7, [], {}, "BASIC", ""])
def test_a_demo_type_that_is_none_is_rejected(calling, demo_type):
    demo = {"action": "run_demo", "parameters": {"demo_type": demo_type}}
    error, _ = refused(calling().post(demo), 400, "invalid_request")
    assert error["field"] == "parameters.demo_type"


def test_a_tag_that_has_run_within_it_is_accepted(calling):
    assert calling().post({"query": "x", "tags": ["dry-run-1", "running", "Run-1"]})[0] == 200


def test_an_optional_field_may_be_null(calling):
    body = {"query": "x", "session_id": None, "user_id": None, "tags": None, "metadata": None}
    assert calling().post(body)[0] == 200


def test_values_at_the_limits_are_accepted(calling):
    body = {
        "query": "x" * 10_000, "session_id": "s" * 200, "user_id": "u" * 200, "tags": ["t" * 200] * 10,
        "metadata": {f"{number:0200}": "v" * 1_000 for number in range(20)},
    }  # fmt: skip
    assert calling().post(body)[0] == 200


def test_two_different_session_ids_are_rejected(calling, event):
    header = {"x-amzn-bedrock-agentcore-runtime-session-id": "one"}
    error, _ = refused(
        calling()(event({"query": "x", "session_id": "two"}, headers=header)), 400, "invalid_request"
    )
    assert error["field"] == "session_id"
    assert calling()(event({"query": "x", "session_id": "one"}, headers=header))[0] == 200


@pytest.mark.parametrize(
    "media_type", ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""]
)
def test_another_media_type_is_rejected_with_the_one_to_send(calling, event, media_type):
    answer = calling()(event({"query": "x"}, headers={"Content-Type": media_type}))
    error, _ = refused(answer, 415, "unsupported_media_type")
    assert "application/json" in error["message"]


@pytest.mark.parametrize("media_type", ["application/json", "Application/JSON; charset=utf-8"])
def test_every_spelling_of_the_json_media_type_is_accepted(calling, event, media_type):
    assert calling()(event({"query": "x"}, headers={"Content-Type": media_type}))[0] == 200


def test_a_body_over_the_limit_is_rejected_before_it_is_parsed(calling):
    refused(calling().post("x" * (BODY_LIMIT + 1)), 413, "too_large")
    refused(calling().post("x" * BODY_LIMIT), 400, "invalid_json")


def test_an_unknown_path_is_named_with_the_known_paths(calling):
    error, _ = refused(calling().post({"query": "x"}, path="/nope"), 404, "not_found")
    assert "/invocations" in error["message"]


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/", "POST, OPTIONS"),
        ("PUT", "/invocations", "POST, OPTIONS"),
        ("POST", "/health", "GET, HEAD, OPTIONS"),
        ("BREW", "/ping", "GET, HEAD, OPTIONS"),
    ],
)
def test_an_unknown_method_is_rejected_with_the_allowed_ones(calling, method, path, allow):
    _, headers = refused(calling().post(None, method=method, path=path), 405, "method_not_allowed")
    assert headers["allow"] == allow


def test_options_returns_the_methods_and_head_the_headers_of_get(calling):
    called = calling()
    status, body, headers = called.post(None, method="OPTIONS")
    assert (status, body, headers["allow"]) == (204, None, "POST, OPTIONS")
    status, body, headers = called.post(None, method="HEAD", path="/health")
    assert (status, body, headers["content-type"]) == (200, None, "application/json")


@pytest.mark.parametrize(
    "event", [None, [], "x", 7, {}, {"requestContext": {"http": "x"}}, {"body": '{"query": "x"}'}]
)
def test_an_event_of_another_kind_is_rejected(calling, event):
    refused(calling()(event), 400, "invalid_request")


@pytest.mark.parametrize("body", [7, ["x"], {"query": "x"}, True])
def test_a_body_of_another_type_is_rejected(calling, event, body):
    refused(calling()({**event(), "body": body}), 400, "invalid_request")
