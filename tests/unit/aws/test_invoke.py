"""Calling a Function URL: plain, signed, streamed, refused."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tools.aws import invoke
from tools.command import Failure

URL = "https://abc.lambda-url.eu-west-1.on.aws/"
ANSWER = {"success": True, "response": "4", "usage": {}, "duration_ms": 1, "model_id": "m"}


def _ask(answer: Callable[[httpx.Request], httpx.Response], **options: Any) -> dict[str, Any]:
    with httpx.Client(transport=httpx.MockTransport(answer)) as client:
        return invoke.ask(client, URL, b'{"query": "2+2?"}', region="us-east-1", **options)


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")


def test_an_open_url_is_called_without_credentials() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert "authorization" not in request.headers
        return httpx.Response(200, json=ANSWER)

    assert _ask(answer) == ANSWER


@pytest.mark.usefixtures("credentials")
def test_a_url_for_signed_calls_is_signed_for_its_own_region() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        signed = request.headers.get("authorization")
        if not signed:
            return httpx.Response(403, json={"Message": "Forbidden"})
        assert "/eu-west-1/lambda/aws4_request" in signed
        assert request.content == b'{"query": "2+2?"}'
        return httpx.Response(200, json=ANSWER)

    assert _ask(answer) == ANSWER


def test_a_url_for_signed_calls_without_credentials_says_where_to_get_them() -> None:
    with pytest.raises(Failure, match="for signed calls only, and no AWS credentials were found: run"):
        _ask(lambda _: httpx.Response(403, json={"Message": "Forbidden"}))


@pytest.mark.usefixtures("credentials")
def test_credentials_that_may_not_call_are_told_what_they_need() -> None:
    with pytest.raises(Failure, match="lambda:InvokeFunctionUrl and lambda:InvokeFunction"):
        _ask(lambda _: httpx.Response(403, json={"Message": "Forbidden"}))


@pytest.mark.parametrize(
    ("status", "says"),
    [(429, "concurrency is used up"), (502, "its log says more"), (500, "status 500: Internal")],
)
def test_what_aws_answers_for_the_function_is_explained(status: int, says: str) -> None:
    with pytest.raises(Failure, match=says):
        _ask(lambda _: httpx.Response(status, text="Internal Server Error"))


def test_an_error_of_the_agent_is_an_answer() -> None:
    error = {"success": False, "error": {"code": "model_throttled", "message": "Too many requests"}}

    assert _ask(lambda _: httpx.Response(429, json=error)) == error


def _stream(*events: tuple[str, dict[str, Any]]) -> httpx.Response:
    text = "".join(f"event: {name}\ndata: {json.dumps(data)}\n\n: still working\n\n" for name, data in events)
    return httpx.Response(200, headers={"content-type": "text/event-stream; charset=utf-8"}, text=text)


def test_a_stream_is_heard_as_it_comes_and_ends_with_the_answer() -> None:
    heard: list[tuple[str, Any]] = []
    events = [("start", {"run_id": "1"}), ("text", {"text": "4"}), ("result", ANSWER)]

    answer = _ask(lambda _: _stream(*events), hear=lambda *event: heard.append(event))

    assert heard == events
    assert answer == ANSWER


def test_a_stream_that_breaks_off_is_no_answer() -> None:
    with pytest.raises(Failure, match="broke off"):
        _ask(lambda _: _stream(("text", {"text": "4"})), hear=lambda *_: None)


def test_a_buffered_url_answers_whole_when_a_stream_is_asked_for() -> None:
    assert _ask(lambda _: httpx.Response(200, json=ANSWER), hear=lambda *_: None) == ANSWER
