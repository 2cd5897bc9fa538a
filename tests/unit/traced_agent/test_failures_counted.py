"""Failed runs are counted by code, streamed or not, with their tokens."""

import json
import random
import sys

import pytest

from traced_agent import metrics
from traced_agent.aws.idle_connections import MAX_IDLE_S, IdleConnections
from traced_agent.first_request import FirstRequest
from traced_agent.settings import Settings
from traced_agent.testing import Text, ToolUse
from traced_agent.worker_threads import DeadlineExceeded


def counted(capsys):
    return [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]


@pytest.mark.parametrize(
    ("error", "code"), [(RuntimeError("x"), "internal_error"), (DeadlineExceeded(), "deadline_exceeded")]
)
def test_a_failed_run_is_counted_for_itself_and_for_its_code(calling, capsys, error, code):
    calling(error).post({"query": "Hi"})
    [line] = [line for line in counted(capsys) if "RunsFailed" in line]
    assert (line["RunsFailed"], line["ErrorCode"]) == (1, code)
    [directive] = line["_aws"]["CloudWatchMetrics"]
    assert directive["Dimensions"] == [["FunctionName"], ["FunctionName", "ErrorCode"]]


@pytest.mark.parametrize("body", ["{", {"query": ""}, {"query": "x", "more": 1}])
def test_the_callers_errors_are_not_counted(calling, capsys, body):
    calling().post(body)
    assert not [line for line in counted(capsys) if "RunsFailed" in line]


def test_the_tokens_of_a_failed_run_are_counted(calling, capsys):
    calling(ToolUse("calculator", {"expression": "1"}), RuntimeError("x")).post({"query": "Hi"})
    [line] = [line for line in counted(capsys) if "InputTokens" in line]
    assert (line["InputTokens"], line["OutputTokens"]) == (11, 7)


def test_a_cold_start_is_counted_once_per_environment_at_its_first_request(calling, capsys):
    called = calling("Hello.")
    called.post({"query": "Hi"})
    called.post({"query": "Hi"})
    assert [line["ColdStarts"] for line in counted(capsys) if "ColdStarts" in line] == [1]


def test_copies_of_a_snapshot_have_random_numbers_of_their_own():
    random.seed(7)
    first = FirstRequest({"AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start"})
    first.arrived()
    ours = random.random()
    random.seed(7)
    assert ours != random.random()


@pytest.mark.parametrize("text", ["half", "half a line", "line\n"])
def test_a_tools_unfinished_line_does_not_join_a_metrics_line(monkeypatch, capsys, text):
    monkeypatch.setattr(sys, "stdout", metrics.LineTracker(sys.stdout))
    sys.stdout.write(text)
    metrics.emit({"A": 1})
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == text.strip()
    assert json.loads(lines[1])["A"] == 1


def test_connections_are_closed_when_they_were_idle_for_long():
    class Clock:
        now = 100.0

        def __call__(self):
            return self.now

    class Client:
        closed = 0

        def close(self):
            self.closed += 1

    clock, client = Clock(), Client()
    connections = IdleConnections([client], clock=clock)
    for pause, closed in ((0, 0), (MAX_IDLE_S, 0), (MAX_IDLE_S + 1, 1), (1, 1)):
        clock.now += pause
        with connections:
            assert client.closed == closed


ARN = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3"


@pytest.mark.parametrize("script", [Text("Hi."), RuntimeError("x"), Text("", stop_reason="end_turn")])
def test_nothing_that_leaves_the_function_has_the_account_number(calling, script):
    called = calling(script, settings=Settings(bedrock_model_id=ARN, page=True))
    for body, method, path in (
        ({"query": "x"}, "POST", "/"),
        (None, "GET", "/health"),
        (None, "GET", "/"),
        (None, "GET", "/openapi.json"),
    ):
        answer = called.post(body, method=method, path=path)
        assert "123456789012" not in json.dumps(answer)
    assert called.post(None, method="GET", path="/health")[1]["model_id"] == (
        "application-inference-profile/a1b2c3"
    )
