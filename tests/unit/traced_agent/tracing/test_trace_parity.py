"""A trace of ours is the one that Langfuse's documented set-up makes."""

import re

import pytest

from tests.unit.traced_agent.tracing import forked_script
from tools.local.fakes.langfuse_server import FakeLangfuse

VOLATILE = re.compile(
    r"event\.(start|end)_time|cycle_id$|service\.(instance\.id|version)|duration|time_to_first|completion_start"
)
"""What differs from run to run, or says which program it was."""


def run(how, langfuse, **more):
    """One run in a process of its own: what it wrote to its log."""
    environment = {
        "LANGFUSE_BASE_URL": langfuse.url,
        "LANGFUSE_PUBLIC_KEY": langfuse.public_key,
        "LANGFUSE_SECRET_KEY": langfuse.secret_key,
        "LANGFUSE_TRACING_ENVIRONMENT": "parity",
        "LANGFUSE_RELEASE": "r1",
        "OTEL_SERVICE_NAME": "parity",
        # Strands marks the agent's span for hosts that are named langfuse; the receiver's is not.
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://langfuse.invalid",
        "AWS_REGION": "us-east-1",
        "OTEL_SEMCONV_STABILITY_OPT_IN": "gen_ai_latest_experimental,gen_ai_span_attributes_only",
        **more,
    }
    code, output, errors = forked_script.run("one_run.py", how, **environment)
    assert code == 0, errors
    return output + errors


@pytest.fixture(scope="module")
def both():
    """What the receiver got of either, each from a process of its own."""
    with FakeLangfuse() as theirs, FakeLangfuse() as ours:
        for how, to in (("documented", theirs), ("ours", ours)):
            run(how, to, TOOL="observes")
        yield theirs, ours


def steady(attributes):
    return {key: value for key, value in attributes.items() if not VOLATILE.search(key)}


def tree(receiver):
    """The trace's spans with the path of names to each, without what differs from run to run."""
    (trace,) = receiver.traces()
    names = {span.span_id: span for span in trace.spans}

    def path(span):
        return (*(path(names[span.parent_id]) if span.parent_id else ()), span.name)

    return [
        {
            "path": path(span),
            "scope": span.scope,
            "attributes": steady(span.attributes),
            "resource": steady(span.resource),
            "status": (span.status, span.message),
            "events": [(event["name"], event["attributes"]) for event in span.events],
        }
        for span in trace.spans
    ]


def headers(receiver):
    (export,) = receiver.exports
    return {name: value for name, value in export.headers.items() if name not in ("content-length", "host")}


def expected(span):
    """The documented setup's span, without the agent's usage: Langfuse would count those tokens twice."""
    if span["attributes"].get("gen_ai.operation.name") != "invoke_agent":
        return span
    kept = {name: value for name, value in span["attributes"].items() if not name.startswith("gen_ai.usage.")}
    return {**span, "attributes": {**kept, "langfuse.observation.type": "agent"}}


def test_the_tree_the_attributes_and_the_resource_are_those_of_the_documented_set_up(both):
    theirs, ours = map(tree, both)
    theirs = [expected(span) for span in theirs]
    assert [span["path"] for span in ours] == [span["path"] for span in theirs]
    for one, other in zip(ours, theirs, strict=True):
        assert one == other


def test_the_headers_are_those_of_the_documented_set_up(both):
    theirs, ours = map(headers, both)
    hop_by_hop = {"accept", "accept-encoding", "connection"}
    assert {k: v for k, v in ours.items() if k not in hop_by_hop} == {
        k: v for k, v in theirs.items() if k not in hop_by_hop
    }
    assert ours["x-langfuse-ingestion-version"] == "4"
    assert ours["content-encoding"] == "gzip"


def test_langfuses_sdk_is_not_imported_before_the_answer():
    with FakeLangfuse() as langfuse:
        assert "langfuse imported: False" in run("ours", langfuse)


@pytest.mark.parametrize("imported", ["in the tool", "at the top"])
def test_an_observation_of_the_agents_author_arrives_and_arrives_once(imported):
    with FakeLangfuse() as langfuse:
        log = run("ours", langfuse, TOOL="observes", IMPORTED=imported, RUNS="2")
        traces = langfuse.traces()
    assert len(traces) == 2
    for trace in traces:
        spans = {span.span_id: span for span in trace.spans}
        assert len(spans) == len(trace.spans) == 9
        (mine,) = (span for span in trace.spans if span.name == "mine")
        assert spans[mine.parent_id].name == "execute_tool look_up"
        assert mine.attributes["session.id"] == "s-1"
        assert mine.scope == "langfuse-sdk"
    assert "Client will be disabled" not in log


CONTENT = ("PROMPT", "ANSWER", "ARGUMENT", "RESULT", "ERROR", "SYSTEM", "MINE")


@pytest.fixture(scope="module")
def traced():
    """The same runs, with their content and without, with a tool that works and one that raises."""
    with FakeLangfuse() as full, FakeLangfuse() as metadata:
        for langfuse, content in ((full, "full"), (metadata, "metadata")):
            for tool in ("observes", "raises"):
                run("ours", langfuse, TOOL=tool, TRACE_CONTENT=content)
        yield full.traces(), metadata.traces()


def test_without_content_no_prompt_answer_argument_result_or_message_is_sent(traced):
    full, metadata = map(repr, traced)
    for canary in CONTENT:
        assert f"CANARY-{canary}" in full, "the canary must sing where content is traced"
    assert "CANARY" not in metadata


def test_without_content_structure_timing_usage_and_errors_are_kept(traced):
    full, metadata = traced
    assert sorted(len(trace.spans) for trace in full) == sorted(len(trace.spans) for trace in metadata)
    (failed,) = (trace for trace in metadata if any(span.status == "error" for span in trace.spans))
    (tool,) = (span for span in failed.spans if span.name == "execute_tool look_up")
    assert tool.status == "error"
    assert tool.attributes["gen_ai.tool.status"] == "error"
    chats = [span for span in failed.spans if span.name == "chat"]
    assert [chat.attributes["gen_ai.usage.input_tokens"] for chat in chats] == [11, 11]
    assert all(span.end_ns > span.start_ns for span in failed.spans)
    assert failed.root.attributes["session.id"] == "s-1"
    assert failed.root.attributes["langfuse.trace.metadata.n"] == '"1"'


def test_a_tool_that_raises_marks_its_own_span_and_not_the_run(traced):
    full, _ = traced
    (failed,) = (trace for trace in full if any(span.status == "error" for span in trace.spans))
    assert [span.name for span in failed.spans if span.status == "error"] == ["execute_tool look_up"]
    assert failed.root.status == "unset"
