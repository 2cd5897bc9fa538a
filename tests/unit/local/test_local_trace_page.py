"""The local trace view: what a person sees of a run, in the browser and in the terminal."""

import json

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.local.fakes.langfuse_records import PROJECT_ID
from tools.local.fakes.langfuse_server import Export, FakeLangfuse
from tools.local.traces import trace_page, trace_view
from tools.local.traces.observation import observation
from tools.local.traces.received_trace import Span, Trace

QUESTION, SYSTEM = [{"text": "What is 2+2?"}], [{"text": "You are a helpful assistant."}]
CALL = [
    {"text": "Let me look."},
    {"toolUse": {"toolUseId": "t", "name": "calculator", "input": {"expression": "2+2"}}},
]
RESULT = [{"toolResult": {"toolUseId": "t", "status": "success", "content": [{"text": "4"}]}}]


def event(name, **attributes):
    return {
        "name": name,
        "time_ns": 0,
        "attributes": {key.replace("_", "."): value for key, value in attributes.items()},
    }


def span(
    name, identifier, parent=None, *, events=(), status="unset", message="", trace="t" * 32, **attributes
):
    return Span(
        trace, identifier, parent, name, "scope", 0, 2_500_000, attributes, {}, status, message, tuple(events)
    )


ROOT = span(
    "query", "1", **{"langfuse.observation.input": '{"query": "2+2"}', "session.id": "s-1", "user.id": "u-1"}
)
CHAT = span(
    "chat",
    "2",
    "1",
    events=(
        event("gen_ai.system.message", content=json.dumps(SYSTEM)),
        event("gen_ai.user.message", content=json.dumps(QUESTION)),
        event("gen_ai.choice", message=json.dumps(CALL)),
    ),
    **{
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "a.model",
        "gen_ai.usage.input_tokens": 11,
        "gen_ai.usage.output_tokens": 7,
    },
)
CHAT_BY_ATTRIBUTES = span(
    "chat",
    "2",
    "1",
    **{
        "gen_ai.operation.name": "chat",
        "gen_ai.system_instructions": json.dumps(
            [{"type": "text", "content": "You are a helpful assistant."}]
        ),
        "gen_ai.input.messages": json.dumps(
            [{"role": "user", "parts": [{"type": "text", "content": "What is 2+2?"}]}]
        ),
        "gen_ai.output.messages": json.dumps(
            [
                {
                    "role": "assistant",
                    "parts": [
                        {"type": "text", "content": "Let me look."},
                        {"type": "tool_call", "name": "calculator", "arguments": {"expression": "2+2"}},
                    ],
                }
            ]
        ),
    },
)
TOOL = span(
    "execute_tool calculator",
    "3",
    "1",
    status="error",
    message="<it failed>",
    events=(
        event("gen_ai.tool.message", content='{"expression": "2+2"}'),
        event("gen_ai.choice", message='[{"text": "4"}]'),
    ),
    **{"gen_ai.operation.name": "execute_tool"},
)
TRACE = Trace("t" * 32, (ROOT, CHAT, TOOL))


@pytest.mark.parametrize("chat", [CHAT, CHAT_BY_ATTRIBUTES], ids=["events", "attributes"])
def test_a_generation_has_system_prompt_messages_and_tool_calls(chat):
    seen = observation(chat)
    assert seen.type == "GENERATION"
    assert [(message.role, message.text) for message in seen.input] == [
        ("system", "You are a helpful assistant."),
        ("user", "What is 2+2?"),
    ]
    assert [(message.role, message.text) for message in seen.output] == [
        ("assistant", 'Let me look.\n→ calculator({"expression": "2+2"})')
    ]


def test_a_tool_has_arguments_result_and_error():
    seen = observation(TOOL)
    assert seen.type == "TOOL"
    assert [message.text for message in seen.input] == ['{"expression": "2+2"}']
    assert [message.text for message in seen.output] == ["4"]
    assert seen.error == "<it failed>"


def test_a_tool_result_in_a_conversation_is_shown():
    chat = span("chat", "2", events=(event("gen_ai.tool.message", content=json.dumps(RESULT)),))
    assert [(message.role, message.text) for message in observation(chat).input] == [("tool", "← 4")]


def test_the_page_shows_the_tree_with_time_bars_tokens_and_errors_and_escapes_everything():
    page = trace_page.trace(TRACE).decode()
    for shown in ("GENERATION", "a.model", "11 → 7 tokens", "You are a helpful assistant.", "s-1", "u-1"):
        assert shown in page
    assert page.count("class=time") == 3
    assert "<p class=error>&lt;it failed&gt;</p>" in page
    assert "<it failed>" not in page


def test_the_page_links_the_other_runs_of_the_session():
    other = Trace("b" * 32, (span("query", "9", trace="b" * 32, **{"session.id": "s-1"}),))
    page = trace_page.trace(TRACE, [TRACE, other]).decode()
    assert f"/trace/{'b' * 32}" in page
    assert f"href=/trace/{'t' * 32}" not in page


def test_the_terminal_shows_the_same_shortened():
    shown = trace_view.text(TRACE)
    assert "GENERATION chat  2.5 ms" in shown
    assert 'output: Let me look. → calculator({"expression": "2+2"})' in shown
    assert "TOOL execute_tool calculator  2.5 ms  ERROR <it failed>" in shown
    assert "tokens: 11 in, 7 out" in shown


def test_the_server_serves_the_list_the_trace_and_a_page_for_one_that_has_not_arrived():
    with FakeLangfuse() as langfuse:
        assert "No trace has arrived yet" in httpx.get(f"{langfuse.url}/").text
        langfuse.exports.append(Export("/v1/traces", {}, TRACE.spans))
        assert TRACE.trace_id in httpx.get(f"{langfuse.url}/").text
        for path in (f"/trace/{TRACE.trace_id}", f"/project/{PROJECT_ID}/traces/{TRACE.trace_id}"):
            response = httpx.get(langfuse.url + path)
            assert response.status_code == 200
            assert response.headers["content-type"].startswith("text/html")
            assert "a.model" in response.text
        missing = httpx.get(f"{langfuse.url}/trace/{'0' * 32}")
        assert (missing.status_code, "has not arrived yet" in missing.text) == (404, True)


VALUES = st.recursive(
    st.none() | st.text(max_size=8) | st.integers(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["text", "toolUse", "toolResult", "content", "type", "parts", "input"]), inner
        )
    ),
    max_leaves=8,
)


@given(
    VALUES,
    st.sampled_from(["gen_ai.input.messages", "langfuse.observation.input", "gen_ai.tool.call.result"]),
)
def test_any_content_is_shown(value, name):
    shown = Trace(
        "t" * 32, (span("chat", "1", **{name: json.dumps(value)}), span("x", "2", "1", **{name: value}))
    )
    assert trace_page.trace(shown)
    assert trace_view.text(shown)
