"""Calling a Function URL: plain, signed, streamed, refused."""

import io
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tools.aws import invoke
from tools.aws.account import Account
from tools.aws.function_client import FunctionClient
from tools.command import Failure

URL = "https://abc.lambda-url.eu-west-1.on.aws/"
ANSWER = {"success": True, "response": "4", "usage": {}, "duration_ms": 1, "model_id": "m"}


def _ask(answer: Callable[[httpx.Request], httpx.Response], **options: Any) -> dict[str, Any]:
    with httpx.Client(transport=httpx.MockTransport(answer)) as client:
        token = options.pop("token", None)
        return FunctionClient(client, Account(), token).ask(URL, b'{"query": "2+2?"}', **options)


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


def test_a_url_for_signed_calls_without_credentials_is_reported_with_the_remedy() -> None:
    with pytest.raises(
        Failure, match="the URL requires signed calls, and no AWS credentials were found: run"
    ):
        _ask(lambda _: httpx.Response(403, json={"Message": "Forbidden"}))


@pytest.mark.usefixtures("credentials")
def test_credentials_without_permission_get_the_missing_action() -> None:
    with pytest.raises(Failure, match="lambda:InvokeFunctionUrl and lambda:InvokeFunction"):
        _ask(lambda _: httpx.Response(403, json={"Message": "Forbidden"}))


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (429, "concurrency is used up"),
        (502, "see its log with `hatch run logs`"),
        (500, "status 500: Internal"),
    ],
)
def test_what_aws_answers_for_the_function_is_explained(status: int, says: str) -> None:
    with pytest.raises(Failure, match=says):
        _ask(lambda _: httpx.Response(status, text="Internal Server Error"))


def test_an_error_of_the_agent_is_an_answer() -> None:
    error = {"success": False, "error": {"code": "model_throttled", "message": "Too many requests"}}

    assert _ask(lambda _: httpx.Response(429, json=error)) == error


@pytest.mark.parametrize(
    "content",
    [
        {"success": True},
        {"success": False},
        {"success": False, "error": "x"},
        {"success": False, "error": {"code": "x"}},
        {"success": "yes", "response": "4"},
        [None],
    ],
)
def test_json_of_another_server_is_not_an_answer(content: Any) -> None:
    with pytest.raises(Failure, match=r"status 200.*check that it is the Function URL"):
        _ask(lambda _: httpx.Response(200, json=content))


@pytest.mark.parametrize(
    "text",
    [
        "event: text\ndata: no JSON\n\n",
        "event: text\ndata: {}\n\n",
        "event: tool\ndata: []\n\n",
        "event: result\ndata: {}\n\n",
        "event: error\ndata: null\n\n",
    ],
)
def test_a_stream_of_another_server_is_not_an_answer(text: str) -> None:
    headers = {"content-type": "text/event-stream"}
    with pytest.raises(Failure, match="the stream is not one of this agent"):
        _ask(lambda _: httpx.Response(200, headers=headers, text=text), listener=invoke.EventPrinter())


def test_standard_input_is_read_as_utf8_whatever_the_locale_is() -> None:
    raw = "Zürich \N{HAMSTER FACE}".encode()
    assert invoke.read_input(io.TextIOWrapper(io.BytesIO(raw), "latin-1")) == "Zürich \N{HAMSTER FACE}"
    with pytest.raises(Failure, match="standard input is not UTF-8 at byte 1"):
        invoke.read_input(io.TextIOWrapper(io.BytesIO(b"Z\xfcrich"), "latin-1"))


def _stream(*events: tuple[str, dict[str, Any]]) -> httpx.Response:
    text = "".join(f"event: {name}\ndata: {json.dumps(data)}\n\n: still working\n\n" for name, data in events)
    return httpx.Response(200, headers={"content-type": "text/event-stream; charset=utf-8"}, text=text)


def test_stream_events_are_sent_as_they_occur_and_end_with_the_answer() -> None:
    heard: list[tuple[str, Any]] = []
    events = [("start", {"run_id": "1"}), ("text", {"text": "4"}), ("result", ANSWER)]

    answer = _ask(lambda _: _stream(*events), listener=lambda *event: heard.append(event))

    assert heard == events
    assert answer == ANSWER


def test_a_stream_that_ends_early_is_not_an_answer() -> None:
    with pytest.raises(Failure, match="the stream ended without a result"):
        _ask(lambda _: _stream(("text", {"text": "4"})), listener=lambda *_: None)


def test_a_buffered_url_answers_without_a_stream_when_a_stream_is_requested() -> None:
    assert _ask(lambda _: httpx.Response(200, json=ANSWER), listener=lambda *_: None) == ANSWER


def test_a_token_is_sent_at_once_and_nothing_is_signed() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.headers["authorization"] == "Bearer t0ken"
        return httpx.Response(200, json=ANSWER)

    assert _ask(answer, token="t0ken") == ANSWER


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[httpx.Request], httpx.Response]], None]:
    """Makes `invoke` reach a handler instead of the network."""

    def serve(answer: Callable[[httpx.Request], httpx.Response]) -> None:
        client = httpx.Client
        monkeypatch.setattr(invoke.httpx, "Client", lambda **_: client(transport=httpx.MockTransport(answer)))

    return serve


def test_stream_on_a_url_that_does_not_stream_prints_the_answer(served, capsys) -> None:
    served(lambda _: httpx.Response(200, json=ANSWER))

    assert invoke.main(["--url", URL, "--stream", "2+2?"]) == 0
    assert capsys.readouterr().out == "4\n"


def test_a_streamed_answer_is_printed_once(served, capsys) -> None:
    served(lambda _: _stream(("text", {"text": "4"}), ("result", ANSWER)))

    assert invoke.main(["--url", URL, "--stream", "2+2?"]) == 0
    assert capsys.readouterr().out == "4\n"


RETRIED = [
    ("text", {"text": "Let me"}),
    ("reset", {"reason": "retry"}),
    ("text", {"text": "Let me see."}),
    ("tool", {"name": "calculator", "state": "started"}),
    ("text", {"text": "4"}),
    ("result", ANSWER),
]


def test_after_a_reset_a_pipe_gets_the_text_once(served, capsys) -> None:
    served(lambda _: _stream(*RETRIED))

    assert invoke.main(["--url", URL, "--stream", "2+2?"]) == 0
    assert capsys.readouterr().out == "Let me see.\n4\n"


def test_after_a_reset_a_terminal_shows_that_the_earlier_text_is_invalid(capsys) -> None:
    printer = invoke.EventPrinter(live=True)
    for event, data in RETRIED[:3]:
        printer(event, data)

    printed = capsys.readouterr()
    assert printed.out == "Let me\nLet me see."
    assert "the text above is void" in printed.err


def test_stream_with_json_prints_one_event_a_line(served, capsys) -> None:
    served(lambda _: _stream(("text", {"text": "4"}), ("result", ANSWER)))

    assert invoke.main(["--url", URL, "--stream", "--json", "2+2?"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines == [{"event": "text", "data": {"text": "4"}}, {"event": "result", "data": ANSWER}]


def test_stream_with_json_on_a_url_that_does_not_stream_prints_one_line(served, capsys) -> None:
    served(lambda _: httpx.Response(200, json=ANSWER))

    assert invoke.main(["--url", URL, "--stream", "--json", "2+2?"]) == 0
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [ANSWER]


def test_a_streamed_error_ends_with_the_code_and_status_1(served) -> None:
    error = {"success": False, "error": {"code": "model_throttled", "message": "Too many requests"}}
    served(lambda _: _stream(("error", error)))

    with pytest.raises(Failure, match="model_throttled: Too many requests"):
        invoke.main(["--url", URL, "--stream", "2+2?"])


def test_a_hyphen_reads_the_question_from_standard_input(served, monkeypatch, capsys) -> None:
    asked: list[Any] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(json.loads(request.content))
        return httpx.Response(200, json=ANSWER)

    served(answer)
    monkeypatch.setattr("sys.stdin", io.StringIO('what is {"a": 1}?\n'))

    assert invoke.main(["--url", URL, "-"]) == 0
    assert asked == [{"query": 'what is {"a": 1}?'}]


def test_a_url_that_requires_a_token_is_reported_with_the_remedy(served) -> None:
    error = {"success": False, "error": {"code": "unauthorized", "message": "no token"}}
    served(lambda _: httpx.Response(401, json=error))

    with pytest.raises(Failure, match="unauthorized: no token; set AGENT_TOKEN or pass --token-command"):
        invoke.main(["--url", URL, "2+2?"])
