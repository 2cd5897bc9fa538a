"""What Langfuse shows of runs, compared with what happened."""

import datetime as dt
import json

import pytest

from tests.unit.traced_agent.tracing.answered_request import CALLER, Asked
from tools.local.fakes.langfuse_server import FakeLangfuse

CANARIES = ("PROMPT", "ANSWER", "ARGUMENT", "RESULT", "SYSTEM")


@pytest.fixture
def langfuse():
    with FakeLangfuse() as langfuse:
        yield langfuse


@pytest.fixture(scope="module")
def answered():
    """A run with a tool that uses Langfuse's SDK, called with a traceparent."""
    with FakeLangfuse() as langfuse:
        yield Asked(langfuse, TOOL="observes", TRACEPARENT=CALLER, REQUESTS="2")


def test_a_run_is_shown_with_its_labels_input_and_output(answered):
    view = answered.view
    run_id = answered.body["run_id"]
    assert (view["name"], view["userId"], view["sessionId"]) == ("query", "u-1", "s-1")
    assert view["input"] == {"query": "CANARY-PROMPT"}
    assert view["output"] == {"response": "CANARY-ANSWER"}
    assert view["tags"] == sorted([f"run-{run_id}", "strands-agents", "by-the-tool"])
    assert view["metadata"] == {"team": "größe", "caller_trace_id": CALLER.split("-")[1]}
    assert view["level"] == "DEFAULT"


def test_tokens_are_counted_once_and_the_agent_is_an_agent(answered):
    assert answered.view["totalTokens"] == answered.body["usage"]["totalTokens"] == 36
    assert answered.observation("invoke_agent")["type"] == "AGENT"
    assert [each["type"] for each in answered.view["observations"] if each["name"] == "chat"] == [
        "GENERATION"
    ] * 2


def test_model_calls_show_parameters_and_readable_messages(answered):
    chat = answered.observation("chat")
    assert chat["parameters"] == {"max_tokens": 77, "temperature": 0.5}
    started, ended = (dt.datetime.fromtimestamp(chat[name] / 1e9, dt.UTC) for name in ("startNs", "endNs"))
    first_token = dt.datetime.fromisoformat(chat["completionStartTime"])
    assert started + dt.timedelta(milliseconds=19) <= first_token <= ended
    assert chat["readable"]
    assert "CANARY-PROMPT" in json.dumps(chat["input"])
    assert "CANARY-ARGUMENT" in json.dumps(chat["output"])
    tool = answered.observation("execute_tool")
    assert "CANARY-ARGUMENT" in json.dumps(tool["input"])
    assert "CANARY-RESULT" in json.dumps(tool["output"])
    assert "CANARY-CONFIG" not in repr(answered.langfuse.traces())


def test_trace_url_contains_the_project_once_it_is_known(answered):
    first, second = answered.bodies
    assert first["trace_url"].endswith(f"/trace/{first['trace_id']}")
    assert second["trace_url"] == f"{answered.langfuse.url}/project/local/traces/{second['trace_id']}"
    assert [path for method, path, _ in answered.langfuse.api_requests if "projects" in path] == [
        "/api/public/projects"
    ]


def test_a_configured_project_id_is_not_requested(langfuse):
    asked = Asked(langfuse, LANGFUSE_PROJECT_ID="p1")
    assert asked.body["trace_url"].endswith(f"/project/p1/traces/{asked.body['trace_id']}")
    assert langfuse.api_requests == []


def test_a_failed_model_call_uses_no_tokens_and_the_run_has_the_reason(langfuse):
    asked = Asked(langfuse, MODEL="fails")
    assert asked.body["error"]["code"] == "internal_error"
    assert asked.view["level"] == "ERROR"
    assert asked.view["output"]["error"]["code"] == "internal_error"
    assert asked.view["totalTokens"] == 0
    assert asked.observation("chat")["level"] == "ERROR"


@pytest.mark.parametrize(("model", "reason"), [("endless", "limit_turns"), ("stops", "max_tokens")])
def test_the_stop_reason_of_a_limit_is_visible_at_trace_level(langfuse, model, reason):
    asked = Asked(langfuse, MODEL=model, MAX_TURNS="2")
    assert asked.body["stop_reason"] == reason
    assert asked.view["level"] == "WARNING"
    assert asked.view["statusMessage"] == f"stop_reason: {reason}"
    assert asked.view["metadata"]["stop_reason"] == reason


def test_a_run_that_sampling_drops_has_no_links_and_a_failed_one_has(langfuse):
    dropped = Asked(langfuse, LANGFUSE_SAMPLE_RATE="0")
    assert dropped.body["success"]
    fields = ("langfuse_url", "trace_filter", "trace_id", "trace_url")
    assert [dropped.body[name] for name in fields] == [None] * 4
    assert langfuse.traces() == []
    failed = Asked(langfuse, LANGFUSE_SAMPLE_RATE="0", MODEL="fails")
    assert failed.body["trace_id"] == langfuse.traces()[0].trace_id


def test_the_prompt_of_langfuse_is_used_and_linked_to_the_model_calls(langfuse):
    langfuse.records.prompts["assistant", "production"] = {"prompt": "CANARY-PROMPT-TEXT", "version": 4}
    asked = Asked(langfuse, LANGFUSE_PROMPT="assistant")
    assert asked.body["success"], asked.log
    chat = asked.observation("chat")
    assert (chat["promptName"], chat["promptVersion"]) == ("assistant", 4)
    assert "CANARY-PROMPT-TEXT" in repr(langfuse.exports)
    assert "CANARY-SYSTEM" not in repr(langfuse.exports)
