"""Metrics of runs: failures by code, tokens, cold starts."""

import json

import pytest

from traced_agent.testing import ToolUse
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
