"""Sampling, ids and concurrent runs."""

import os
import random
import threading

import pytest
from opentelemetry.context import Context

from tests.unit.traced_agent.tracing.recorded_runs import Recorded
from traced_agent.tracing.spans import (
    RandomIdGenerator,
    RunSpans,
    build_resource,
)


@pytest.fixture
def recorded():
    return Recorded()


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


def test_a_failed_run_is_kept_at_any_sample_rate():
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


def test_a_span_without_a_run_is_a_run_by_itself(recorded):
    with recorded.tracer.start_as_current_span("mine", context=RunSpans({"a": 1}).attach_to(Context())):
        pass
    assert recorded.spans()["mine"].attributes["a"] == 1


def test_the_resource_has_the_function_the_environment_and_the_release():
    environ = {"AWS_LAMBDA_FUNCTION_NAME": "fn"}
    about = build_resource(environ, version="1.2", environment="prod", release="r9").attributes
    assert about["service.name"] == "fn"
    assert about["service.version"] == "1.2"
    assert about["langfuse.environment"] == "prod"
    assert about["langfuse.release"] == "r9"
    named = build_resource({**environ, "OTEL_SERVICE_NAME": "mine"}, version="1", environment="", release="")
    assert named.attributes["service.name"] == "mine"
    assert "langfuse.release" not in named.attributes
