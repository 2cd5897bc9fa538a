"""Faults of Bedrock and of tools: the documented error, one log line, and a next request that succeeds."""

import shutil

import pytest

from tools.local.fakes.bedrock_faults import FAULTS

TIMEOUT_S = 6.0
"""The function's timeout: the agent gets half of it; the response and its trace need the rest."""

EXPECTED = {
    "throttle": (429, "model_throttled"),
    "not_ready": (429, "model_throttled"),
    "deny": (502, "model_access_denied"),
    "deny_role": (502, "model_access_denied"),
    "deny_organization": (502, "model_access_denied"),
    "deny_boundary": (502, "model_access_denied"),
    "deny_marketplace": (502, "model_access_denied"),
    "deny_payment": (502, "model_access_denied"),
    "expired": (502, "model_access_denied"),
    "wrong_keys": (502, "model_access_denied"),
    "invalid": (502, "model_error"),
    "too_long": (400, "invalid_request"),
    "too_many_tokens": (502, "model_error"),
    "not_found": (502, "model_error"),
    "internal": (502, "model_error"),
    "unavailable": (502, "model_error"),
    "break": (502, "model_error"),
    "throttle_late": (429, "model_throttled"),
    "invalid_late": (502, "model_error"),
    "internal_late": (502, "model_error"),
    "cut": (502, "model_error"),
    "garbage": (502, "model_error"),
    "truncate": (502, "model_error"),
    "empty": (502, "model_error"),
    "empty_after_tool": (200, "It is two."),
    "blank": (502, "model_error"),
    "no_tool": (502, "model_error"),
    "unknown_tool": (200, "The tool failed: Unknown tool: no_such_tool."),
    "broken_arguments": (200, "The tool failed: "),
    "cut_arguments": (200, "Let me see."),
    "guardrail_tool": (200, "I must not."),
    "sequence_tool": (200, "I stop"),
    "context_full": (200, "It is a long story, and"),
    "emoji": (200, "Good 😀!"),
    "half_emoji": (200, "Good ?!"),
    "drip": (504, "deadline_exceeded"),
    "hang": (504, "deadline_exceeded"),
}
"""Each fault of the fake model: the status, and the error's code or the beginning of the answer."""

BAD_TOOLS = '''

@tool
def raising() -> str:
    """Raise."""
    raise RuntimeError("boom")


@tool
def exiting() -> str:
    """Exit."""
    raise SystemExit(3)


@tool
def nonsense() -> object:
    """Return a value that has no JSON form."""
    return {1: object(), "x": b"\\xff", "y": float("nan")}


@tool
def hanging() -> str:
    """Hang."""
    time.sleep(60)
    return "late"


TOOLS += [raising, exiting, nonsense, hanging]
'''


@pytest.fixture(scope="module")
def function(deployed, bedrock, source, tmp_path_factory):
    """The handler with faulty tools."""
    code = tmp_path_factory.mktemp("task") / "src"
    shutil.copytree(source, code, ignore=shutil.ignore_patterns("__pycache__"))
    agent = code / "agent.py"
    text = agent.read_text()
    above, below = text.split("\ndef build_model", 1)
    agent.write_text(f"import time\nfrom strands import tool\n{above}{BAD_TOOLS}\n\ndef build_model{below}")
    with deployed(bedrock, code=code, timeout_s=TIMEOUT_S) as function:
        yield function


def check(function, query, status, code):
    got, body, headers = function.ask(query)
    assert (got, body.get("error", {}).get("code")) == (status, code)
    [line] = function.lines_of(body["run_id"])
    assert line["level"] == {2: "INFO", 4: "WARNING", 5: "ERROR"}[status // 100]
    status, after, _ = function.ask("What is 2+2?")
    assert (status, after["response"]) == (200, "The answer is 4.")
    return body, headers


@pytest.mark.parametrize("fault", EXPECTED)
def test_a_fault_of_the_model_gets_its_documented_response(function, fault):
    status, outcome = EXPECTED[fault]
    if status == 200:
        body, _ = check(function, f"[[{fault}]] Hello", status, None)
        assert body["response"].startswith(outcome)
    else:
        check(function, f"[[{fault}]] Hello", status, outcome)


def test_every_fault_of_the_fake_is_tested():
    assert set(EXPECTED) == set(FAULTS)


REMEDIES = {
    "deny_role": ("allow it", "in IAM"),
    "deny_organization": ("service control policy", "a permission in IAM is not enough"),
    "deny_boundary": ("permissions boundary", "a permission in IAM is not enough"),
    "deny_marketplace": ("aws-marketplace:Subscribe", "aws-marketplace:ViewSubscriptions"),
    "deny_payment": ("payment method", "Billing console"),
    "too_many_tokens": ("MAX_TOKENS is above the limit of 64000",),
}
"""What the message of a denial or a rejection contains."""


@pytest.mark.parametrize("fault", REMEDIES)
def test_a_denial_names_its_remedy_and_no_account(function, fault):
    _, body, _ = function.ask(f"[[{fault}]] Hello")
    message = body["error"]["message"]
    assert [words for words in REMEDIES[fault] if words not in message] == []
    assert "123456789012" not in str(body)


def test_a_model_call_that_is_throttled_once_is_retried(function):
    status, body, _ = function.ask("[[throttle 1]] Once throttled, what is 2+2?")
    assert (status, body["response"]) == (200, "The answer is 4.")


def test_retries_are_bounded(function, bedrock):
    before = len(bedrock.requests)
    status, _, headers = function.ask("[[throttle]] Again")
    assert (status, len(bedrock.requests) - before) == (429, 2)
    assert 5 <= int(headers["retry-after"]) <= 15


@pytest.mark.parametrize(
    ("tool", "status", "code"),
    [
        ("raising", 200, None),
        ("nonsense", 200, None),
        ("unknown", 200, None),
        ("exiting", 500, "internal_error"),
        ("hanging", 504, "deadline_exceeded"),
    ],
)
def test_a_tool_fails(function, tool, status, code):
    check(function, f"[[tool {tool} {{}}]]", status, code)


def test_an_endless_loop_of_tool_calls_is_stopped_by_the_turn_limit(function):
    status, body, _ = function.ask("[[loop]]")
    assert (status, body["stop_reason"]) == (200, "limit_turns")


def test_an_answer_cut_off_by_max_tokens_is_returned(function):
    status, body, _ = function.ask("[[max_tokens]]")
    assert (status, body["stop_reason"], body["response"]) == (200, "max_tokens", "It is a long story, and")


def test_an_endpoint_that_cannot_be_reached_names_the_setting(deployed):
    class Unreachable:
        url = "http://127.0.0.1:9"

    with deployed(Unreachable, timeout_s=20) as function:
        status, body, _ = function.ask("Hello")
        assert (status, body["error"]["code"]) == (502, "model_error")
        assert "BEDROCK_REGION" in body["error"]["message"]


def test_one_environment_survives_all_faults(function):
    assert function.starts == 1
