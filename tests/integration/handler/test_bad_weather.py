"""Bedrock and the tools at their worst: the contract's answer, one line in the log, the next one unharmed."""

import shutil
import time

import pytest

from tools.local.fakes.bedrock_server import FAULTS

TIMEOUT_S = 6.0
"""The function's; half of it is the agent's, and the rest kept for the response and its trace."""

WEATHER = {
    "throttle": (429, "model_throttled"),
    "not_ready": (429, "model_throttled"),
    "deny": (502, "model_access_denied"),
    "expired": (502, "model_access_denied"),
    "wrong_keys": (502, "model_access_denied"),
    "invalid": (502, "model_error"),
    "too_long": (400, "invalid_request"),
    "not_found": (502, "model_error"),
    "internal": (502, "model_error"),
    "unavailable": (502, "model_error"),
    "break": (502, "model_error"),
    "cut": (502, "model_error"),
    "garbage": (502, "model_error"),
    "empty": (502, "model_error"),
    "truncate": (502, "model_error"),
    "throttle_late": (429, "model_throttled"),
    "no_tool": (502, "model_error"),
    "drip": (504, "deadline_exceeded"),
    "hang": (504, "deadline_exceeded"),
}

BAD_TOOLS = '''

@tool
def raising() -> str:
    """Raise."""
    raise RuntimeError("boom")


@tool
def leaving() -> str:
    """Leave."""
    raise SystemExit(3)


@tool
def nonsense() -> object:
    """Return what no one can read."""
    return {1: object(), "x": b"\\xff", "y": float("nan")}


@tool
def hanging() -> str:
    """Hang."""
    time.sleep(60)
    return "late"


TOOLS += [raising, leaving, nonsense, hanging]
'''


@pytest.fixture(scope="module")
def function(deployed, bedrock, source, tmp_path_factory):
    """The handler with tools that misbehave, as a user could have written them."""
    code = tmp_path_factory.mktemp("task") / "src"
    shutil.copytree(source, code, ignore=shutil.ignore_patterns("__pycache__"))
    agent = code / "agent.py"
    text = agent.read_text()
    above, below = text.split("\ndef build_model", 1)
    agent.write_text(f"import time\nfrom strands import tool\n{above}{BAD_TOOLS}\n\ndef build_model{below}")
    with deployed(bedrock, code=code, timeout_s=TIMEOUT_S) as function:
        yield function


def check(function, query, status, code):
    began = time.monotonic()
    got, body, headers = function.ask(query)
    assert (got, body.get("error", {}).get("code")) == (status, code)
    assert time.monotonic() - began < TIMEOUT_S
    [line] = function.lines_of(body["run_id"])
    assert line["level"] == {2: "INFO", 4: "WARNING", 5: "ERROR"}[status // 100]
    status, after, _ = function.ask("What is 2+2?")
    assert (status, after["response"]) == (200, "The answer is 4.")
    return body, headers


@pytest.mark.parametrize("fault", WEATHER)
def test_the_model_fails(function, fault):
    check(function, f"[[{fault}]] Hello", *WEATHER[fault])


def test_no_fault_of_the_stand_in_is_left_out():
    assert set(WEATHER) == set(FAULTS)


def test_a_model_that_is_throttled_once_answers_all_the_same(function):
    status, body, _ = function.ask("[[throttle 1]] Once throttled, what is 2+2?")
    assert (status, body["response"]) == (200, "The answer is 4.")


def test_retries_are_bounded(function, bedrock):
    before, began = len(bedrock.requests), time.monotonic()
    status, _, headers = function.ask("[[throttle]] Again")
    assert (status, len(bedrock.requests) - before) == (429, 2)
    assert 5 <= int(headers["retry-after"]) <= 15
    assert time.monotonic() - began < TIMEOUT_S


@pytest.mark.parametrize(
    ("tool", "status", "code"),
    [
        ("raising", 200, None),
        ("nonsense", 200, None),
        ("unknown", 200, None),
        ("leaving", 500, "internal_error"),
        ("hanging", 504, "deadline_exceeded"),
    ],
)
def test_a_tool_misbehaves(function, tool, status, code):
    check(function, f"[[tool {tool} {{}}]]", status, code)


def test_a_conversation_without_end_is_stopped_by_the_turn_limit(function):
    status, body, _ = function.ask("[[loop]]")
    assert (status, body["stop_reason"]) == (200, "limit_turns")


def test_a_model_that_runs_out_of_tokens_gives_what_it_has(function):
    status, body, _ = function.ask("[[max_tokens]]")
    assert (status, body["stop_reason"], body["response"]) == (200, "max_tokens", "It is a long story, and")


def test_an_endpoint_that_is_not_there_is_told_with_the_setting(deployed):
    class Nowhere:
        url = "http://127.0.0.1:9"

    with deployed(Nowhere, timeout_s=20) as function:
        status, body, _ = function.ask("Hello")
        assert (status, body["error"]["code"]) == (502, "model_error")
        assert "BEDROCK_REGION" in body["error"]["message"]


def test_all_that_weather_was_borne_by_one_environment(function):
    assert function.starts == 1
