"""Every run is recorded completely and once, with its attributes."""

import json

import pytest
from opentelemetry import trace
from opentelemetry.trace import StatusCode

from tests.unit.traced_agent.tracing.recorded_runs import CALLER, Recorded
from traced_agent import __version__
from traced_agent.settings import Settings
from traced_agent.tracing.observation import Observation
from traced_agent.tracing.tracer import RunTracer


@pytest.fixture
def recorded():
    return Recorded()


def test_every_span_carries_session_user_tags_and_metadata(recorded):
    about = {"session_id": "s", "user_id": "u", "tags": ["t"], "metadata": {"k": "v"}}
    with recorded.observe(**about), recorded.tracer.start_as_current_span("child"):
        recorded.tracer.start_span("grandchild").end()
    spans = recorded.spans()
    assert set(spans) == {"query", "child", "grandchild"}
    for span in spans.values():
        carried = {key: value for key, value in span.attributes.items() if "observation" not in key}
        carried.pop("langfuse.internal.is_app_root", None)
        assert carried == {
            "session.id": "s",
            "user.id": "u",
            "langfuse.trace.name": "query",
            "langfuse.trace.tags": ("run-r1", "strands-agents", "t"),
            "langfuse.trace.metadata.k": '"v"',
            "langfuse.version": __version__,
        }


def test_the_root_has_the_query_and_the_answer(recorded):
    with recorded.observe() as observation:
        observation.answer({"response": "Hello"})
    root = recorded.spans()["query"]
    assert root.parent is None
    assert root.attributes["langfuse.observation.input"] == '{"query": "Hi"}'
    assert root.attributes["langfuse.observation.output"] == '{"response": "Hello"}'
    assert root.status.status_code is StatusCode.UNSET


def test_the_links_open_the_trace_without_a_call(recorded):
    with recorded.observe() as observation:
        pass
    trace_id = format(recorded.spans()["query"].context.trace_id, "032x")
    assert observation.links == {
        "langfuse_url": "https://lf.example.com",
        "trace_filter": "run-r1",
        "trace_id": trace_id,
        "trace_url": f"https://lf.example.com/trace/{trace_id}",
    }


def test_with_plain_otlp_there_are_ids_and_no_langfuse_addresses():
    recorded = Recorded(Settings(otlp_endpoint="http://collector/v1/traces"))
    with recorded.observe(metadata={"k": "v"}) as observation:
        pass
    assert observation.links["trace_id"]
    assert observation.links["trace_filter"] == "run-r1"
    assert observation.links["langfuse_url"] is observation.links["trace_url"] is None
    assert recorded.spans()["query"].attributes["langfuse.trace.metadata.k"] == "v"


def test_without_tracing_the_ids_are_null_and_nothing_is_recorded():
    with RunTracer().observe(name="query", run_id="r", query={}) as observation:
        observation.answer({"response": "x"})
        observation.fail("code", "message")
    assert set(observation.links.values()) == {None}
    assert observation.trace_id is None
    assert not RunTracer().enabled
    RunTracer().export(1)


def test_an_incoming_traceparent_is_linked_and_never_the_parent(recorded):
    with recorded.observe(traceparent=CALLER):
        pass
    root = recorded.spans()["query"]
    assert root.parent is None
    assert [format(link.context.trace_id, "032x") for link in root.links] == [CALLER.split("-")[1]]
    assert root.context.trace_id != root.links[0].context.trace_id


@pytest.mark.parametrize("wrong", ["", "nonsense", "00-" + "0" * 32 + "-" + "0" * 16 + "-01"])
def test_an_invalid_traceparent_is_ignored(recorded, wrong):
    with recorded.observe(traceparent=wrong):
        pass
    assert not recorded.spans()["query"].links


def test_a_current_span_of_other_code_is_not_the_parent(recorded):
    with recorded.tracer.start_as_current_span("outside"), recorded.observe():
        pass
    runs = [[span.name for span in run] for run in recorded.buffer.finished]
    assert runs == [["query"], ["outside"]]


def test_a_failed_run_has_the_reason(recorded):
    with recorded.observe() as observation:
        observation.fail("model_throttled", "try later")
    root = recorded.spans()["query"]
    assert root.status.status_code is StatusCode.ERROR
    assert root.status.description == "model_throttled: try later"
    assert root.attributes["langfuse.observation.level"] == "ERROR"
    assert root.attributes["langfuse.observation.status_message"] == "model_throttled: try later"


def test_an_exception_fails_the_run_and_keeps_an_earlier_reason(recorded):
    def run():
        with recorded.observe() as observation:
            observation.fail("deadline_exceeded", "too late")
            raise KeyError("x")

    with pytest.raises(KeyError):
        run()
    assert recorded.spans()["query"].status.description == "deadline_exceeded: too late"


def test_a_crash_without_a_reason_is_named_by_its_type(recorded):
    with pytest.raises(ZeroDivisionError), recorded.observe():
        print(1 / 0)
    assert recorded.spans()["query"].status.description == "ZeroDivisionError: division by zero"


def test_what_an_abandoned_thread_has_open_enters_the_trace_with_the_reason(recorded):
    """And nothing of it arrives a second time, or later."""
    with recorded.observe() as observation:
        done = recorded.tracer.start_span("done")
        done.end()
        agent = recorded.tracer.start_span("agent")
        with trace.use_span(agent):
            call = recorded.tracer.start_span("call", attributes={"model": "m"})
        call.add_event("asked")
        observation.fail("deadline_exceeded", "over")
    call.set_attribute("late", value=True)
    call.end()
    with trace.use_span(agent):
        recorded.tracer.start_span("later").end()
    agent.end()

    spans = recorded.spans()
    assert set(spans) == {"done", "query", "agent", "call"}
    assert spans["done"].status.status_code is StatusCode.UNSET
    for name in ("agent", "call"):
        assert spans[name].status.status_code is StatusCode.ERROR
        assert spans[name].status.description == "deadline_exceeded: over"
        assert spans[name].end_time == spans["query"].end_time
        assert spans[name].attributes["traced_agent.unfinished"]
    assert spans["call"].attributes["model"] == "m"
    assert [event.name for event in spans["call"].events] == ["asked"]
    assert "late" not in spans["call"].attributes


def test_what_an_abandoned_thread_ends_before_the_root_is_unfinished_too(recorded):
    """A cancelled agent ends its spans at once, and without an error."""
    with recorded.observe() as observation:
        done, agent = recorded.tracer.start_span("done"), recorded.tracer.start_span("agent")
        done.end()
        observation.abandon()
        agent.end()
        observation.fail("deadline_exceeded", "over")

    spans = recorded.spans()
    assert set(spans) == {"done", "query", "agent"}
    assert spans["done"].status.status_code is StatusCode.UNSET
    assert spans["agent"].status.description == "deadline_exceeded: over"
    assert spans["agent"].end_time == spans["query"].end_time


def test_text_streamed_before_a_failure_is_in_the_trace(recorded):
    events = []
    with recorded.observe() as observation:
        on_event = observation.record_text(lambda **event: events.append(event))
        on_event(data="The answer ")
        on_event(event={"other": 1})
        on_event(data="is")
        observation.fail("model_error", "broke off")
    output = json.loads(recorded.spans()["query"].attributes["langfuse.observation.output"])
    assert output["partial_response"] == "The answer is"
    assert output["error"] == {"code": "model_error", "message": "broke off"}
    assert len(events) == 3
    assert Observation({}, None).record_text(None) is None


def test_streamed_text_is_kept_up_to_a_limit(recorded):
    with recorded.observe() as observation:
        on_event = observation.record_text(lambda **event: None)
        for _ in range(300):
            on_event(data="x" * 1000)
        observation.fail("model_error", "broke off")
    output = json.loads(recorded.spans()["query"].attributes["langfuse.observation.output"])
    assert len(output["partial_response"]) == 100_000
