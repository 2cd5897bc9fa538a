"""From a query to the contract's answer."""

import datetime as dt
import json
import re

import pytest

from traced_agent.http.request_models import DEMO_QUERIES
from traced_agent.settings import Settings
from traced_agent.testing import Text, ToolUse


def test_a_query_is_answered_with_every_field_of_the_contract_in_its_order(calling):
    status, body, headers = calling("  Four.\n").post({"query": " What is 2+2? "})
    assert status == 200
    assert headers["content-type"] == "application/json"
    assert list(body) == [
        "success", "run_id", "timestamp", "query", "response", "langfuse_url", "trace_filter", "trace_id",
        "trace_url", "model_id", "stop_reason", "usage", "duration_ms",
    ]  # fmt: skip
    assert body["success"] is True
    assert re.fullmatch(r"[0-9a-f]{8}", body["run_id"])
    assert dt.datetime.fromisoformat(body["timestamp"]).utcoffset() == dt.timedelta(0)
    assert (body["query"], body["response"]) == ("What is 2+2?", "Four.")
    assert body["model_id"] == Settings().bedrock_model_id
    assert body["stop_reason"] == "end_turn"
    assert body["usage"] == {"inputTokens": 11, "outputTokens": 7, "totalTokens": 18}
    assert isinstance(body["duration_ms"], int)


def test_untraced_all_four_trace_fields_are_null(calling):
    _, body, _ = calling().post({"query": "Hi"})
    assert [body[name] for name in ("langfuse_url", "trace_filter", "trace_id", "trace_url")] == [None] * 4


@pytest.mark.parametrize("path", ["/", "/invocations"])
@pytest.mark.parametrize("name", ["query", "prompt"])
def test_agentcore_clients_are_understood(calling, path, name):
    called = calling()
    status, body, _ = called.post({name: "Hi"}, path=path)
    assert (status, body["query"]) == (200, "Hi")
    assert called.model.requests[0][0]["content"] == [{"text": "Hi"}]


def test_a_bare_event_is_answered_as_a_request_is(calling):
    status, body, _ = calling()({"query": "Hi"})
    assert (status, body["response"]) == (200, "Four.")


@pytest.mark.parametrize(
    "demo", [{"action": "run_demo"}, {"action": "run_demo", "parameters": {"demo_type": "basic"}}]
)
def test_the_demo_of_the_first_plan_runs(calling, demo):
    status, body, _ = calling().post(demo)
    assert (status, body["query"]) == (200, DEMO_QUERIES["basic"])


def test_a_body_in_base64_with_a_byte_order_mark_and_no_content_type_is_read(calling, event):
    import base64

    raw = base64.b64encode('\ufeff{"query": "Grüße 👋"}'.encode()).decode()
    status, body, _ = calling()(event(raw, headers={}, is_base64=True))
    assert (status, body["query"]) == (200, "Grüße 👋")


def test_a_tool_is_used_and_the_tokens_of_every_call_are_counted(calling):
    called = calling(ToolUse("calculator", {"expression": "6*7"}), "42.")
    status, body, _ = called.post({"query": "6*7?"})
    assert (status, body["response"], body["usage"]["totalTokens"]) == (200, "42.", 36)
    assert called.model.requests[1][-1]["content"][0]["toolResult"]["content"] == [{"text": "42"}]


def test_no_caller_gets_the_conversation_of_another(calling):
    called = calling()
    called.post({"query": "My secret is 1234"})
    called.post({"query": "What was said before?"})
    assert "1234" not in json.dumps(called.model.requests[1])


def test_an_answer_that_the_token_limit_shortens_is_returned_with_its_stop_reason(calling):
    status, body, _ = calling(Text("Half an answ", "max_tokens")).post({"query": "Hi"})
    assert (status, body["response"], body["stop_reason"]) == (200, "Half an answ", "max_tokens")
    assert body["usage"]["totalTokens"] == 18


def test_an_agent_that_never_ends_is_stopped_by_the_turn_limit(calling):
    called = calling(ToolUse("calculator", {"expression": "1"}), settings=Settings(max_turns=3))
    status, body, _ = called.post({"query": "Loop"})
    assert (status, body["stop_reason"], len(called.model.requests)) == (200, "limit_turns", 3)


def test_an_agent_that_never_ends_is_stopped_by_the_token_limit(calling):
    called = calling(ToolUse("calculator", {"expression": "1"}), settings=Settings(max_tokens=14))
    _, body, _ = called.post({"query": "Loop"})
    assert (body["stop_reason"], len(called.model.requests)) == ("limit_output_tokens", 2)


def test_half_a_surrogate_pair_from_the_model_does_not_break_the_response(calling):
    status, body, _ = calling("a\ud800b").post({"query": "Hi"})
    assert (status, body["response"]) == (200, "a?b")


def test_the_work_after_a_response_starts_once_for_any_response(calling, context):
    called = calling()
    called.post({"query": "Hi"})
    called.post("not json")
    assert [request_id for request_id, _ in called.finished.requests] == ["req-1", "req-1"]
    assert all(0 < remaining <= context().remaining_s for _, remaining in called.finished.requests)


@pytest.mark.parametrize("path", ["/health", "/ping"])
def test_health_reports_what_runs_and_calls_no_model(calling, path):
    called = calling()
    status, body, _ = called.post(None, method="GET", path=path)
    assert status == 200
    assert list(body) == ["status", "version", "python", "model_id", "tracing", "time_of_last_update"]
    assert (body["status"], body["tracing"]) == ("Healthy", "off")
    assert called.model.requests == []
