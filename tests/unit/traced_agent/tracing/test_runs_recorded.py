"""Every run is recorded whole, once, with what it carries."""

import json
import os
import random
import threading

import pytest
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import StatusCode

from traced_agent import __version__
from traced_agent.settings import Settings
from traced_agent.tracing.observation import Observation
from traced_agent.tracing.spans import (
    SCOPE,
    RandomIdGenerator,
    RunSpans,
    RunTracerProvider,
    SpanBuffer,
    build_resource,
)
from traced_agent.tracing.tracer import RunTracer

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Recorded:
    """RunTracer over a provider that is not the process's, whose finished runs are looked at."""

    def __init__(self, settings=None, sample_rate=1.0):
        settings = settings or Settings(langfuse_host="https://lf.example.com")
        self.buffer = SpanBuffer(sample_rate)
        about = build_resource({}, version="1", environment="", release="")
        self.tracer = RunTracerProvider(self.buffer, about).get_tracer(SCOPE)
        self.tracing = RunTracer(settings, self.tracer)

    def observe(self, **about):
        return self.tracing.observe(**{"name": "query", "run_id": "r1", "query": {"query": "Hi"}, **about})

    def spans(self):
        """Of the one run there is, by name."""
        (run,) = self.buffer.finished
        return {span.name: span for span in run}


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


def test_the_root_holds_the_query_and_the_answer(recorded):
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


def test_with_plain_otlp_the_ids_stand_and_langfuses_addresses_do_not():
    recorded = Recorded(Settings(otlp_endpoint="http://collector/v1/traces"))
    with recorded.observe(metadata={"k": "v"}) as observation:
        pass
    assert observation.links["trace_id"]
    assert observation.links["trace_filter"] == "run-r1"
    assert observation.links["langfuse_url"] is observation.links["trace_url"] is None
    assert recorded.spans()["query"].attributes["langfuse.trace.metadata.k"] == "v"


def test_untraced_everything_is_null_and_nothing_is_recorded():
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
def test_a_traceparent_that_is_none_is_passed_over(recorded, wrong):
    with recorded.observe(traceparent=wrong):
        pass
    assert not recorded.spans()["query"].links


def test_a_span_of_the_surroundings_is_not_taken_for_the_parent(recorded):
    with recorded.tracer.start_as_current_span("outside"), recorded.observe():
        pass
    runs = [[span.name for span in run] for run in recorded.buffer.finished]
    assert runs == [["query"], ["outside"]]


def test_a_failed_run_says_why(recorded):
    with recorded.observe() as observation:
        observation.fail("model_throttled", "try later")
    root = recorded.spans()["query"]
    assert root.status.status_code is StatusCode.ERROR
    assert root.status.description == "model_throttled: try later"
    assert root.attributes["langfuse.observation.level"] == "ERROR"
    assert root.attributes["langfuse.observation.status_message"] == "model_throttled: try later"


def test_an_exception_that_passes_through_fails_the_run_and_a_reason_given_before_stands(recorded):
    def run():
        with recorded.observe() as observation:
            observation.fail("deadline_exceeded", "too late")
            raise KeyError("x")

    with pytest.raises(KeyError):
        run()
    assert recorded.spans()["query"].status.description == "deadline_exceeded: too late"


def test_a_crash_without_a_reason_is_told_by_its_type(recorded):
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


def test_runs_at_the_same_time_do_not_mix(recorded):
    def one(name):
        with recorded.observe(name=name, session_id=name):
            for number in range(20):
                recorded.tracer.start_span(f"{name}-{number}").end()

    threads = [threading.Thread(target=one, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for run in recorded.buffer.finished:
        assert len(run) == 21
        assert {span.attributes["session.id"] for span in run} == {run[-1].name}


@pytest.mark.parametrize(("rate", "kept"), [(0.0, 0), (1.0, 200)])
def test_sampling_takes_whole_runs(rate, kept):
    recorded = Recorded(sample_rate=rate)
    for _ in range(200):
        with recorded.observe():
            recorded.tracer.start_span("child").end()
    assert [len(run) for run in recorded.buffer.finished] == [2] * kept


def test_sampling_takes_about_its_share():
    recorded = Recorded(sample_rate=0.5)
    for _ in range(400):
        with recorded.observe():
            pass
    assert 120 < len(recorded.buffer.finished) < 280


def test_a_run_in_error_is_kept_whatever_the_sampling():
    recorded = Recorded(sample_rate=0.0)
    with recorded.observe() as observation:
        recorded.tracer.start_span("child").end()
        observation.fail("internal_error", "oops")
    assert set(recorded.spans()) == {"query", "child"}


def test_ids_do_not_come_from_pythons_generator_which_copies_of_a_process_share():
    ids = RandomIdGenerator()
    random.seed(7)
    first = ids.generate_trace_id(), ids.generate_span_id()
    random.seed(7)
    assert (ids.generate_trace_id(), ids.generate_span_id()) != first
    assert first[0] < 2**128
    assert first[1] < 2**64


def test_forked_copies_never_share_an_id(recorded):
    reads, writes = os.pipe()
    for _ in range(2):
        if os.fork() == 0:
            os.write(writes, recorded.tracer.start_span("x").get_span_context().trace_id.to_bytes(16))
            os._exit(0)
        os.wait()
    ids = os.read(reads, 64)
    assert len(ids) == 32
    assert ids[:16] != ids[16:]


def test_a_span_that_belongs_to_no_run_is_a_run_of_its_own(recorded):
    with recorded.tracer.start_as_current_span("mine", context=RunSpans({"a": 1}).attach_to(Context())):
        pass
    assert recorded.spans()["mine"].attributes["a"] == 1


def test_the_resource_says_which_function_environment_and_release():
    environ = {"AWS_LAMBDA_FUNCTION_NAME": "fn"}
    about = build_resource(environ, version="1.2", environment="prod", release="r9").attributes
    assert about["service.name"] == "fn"
    assert about["service.version"] == "1.2"
    assert about["langfuse.environment"] == "prod"
    assert about["langfuse.release"] == "r9"
    named = build_resource({**environ, "OTEL_SERVICE_NAME": "mine"}, version="1", environment="", release="")
    assert named.attributes["service.name"] == "mine"
    assert "langfuse.release" not in named.attributes


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
