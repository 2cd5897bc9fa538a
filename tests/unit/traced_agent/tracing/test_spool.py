"""With TRACE_SPOOL=log, what would be lost goes to the log and comes back as it was."""

import json
import random

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from traced_agent.tracing import spool


def test_a_dropped_run_is_written_to_the_log(tracing_to, backend):
    traced = tracing_to(backend.url, spool_to_log=True, backlog_bytes=15_000)
    backend.behave = backend.answering(503)
    for name in ("first", "second"):
        traced.run(name, "child", text="x" * 6_000)
        traced.export(1)
    assert traced.waiting == ["child", "second"]
    assert traced.metrics["TracesSpooled"] == 1
    assert "TracesLost" not in traced.metrics

    (found,) = spool.read(traced.log)
    request = ExportTraceServiceRequest.FromString(found.request)
    spans = [span for r in request.resource_spans for scope in r.scope_spans for span in scope.spans]
    assert sorted(span.name for span in spans) == ["child", "first"]
    assert {span.trace_id.hex() for span in spans} == {found.trace_id}


def test_without_the_spool_nothing_of_a_run_is_logged(tracing_to, backend, caplog):
    traced = tracing_to(backend.url, backlog_bytes=10)
    backend.behave = backend.answering(503)
    traced.run("one", text="CANARY")
    traced.export(1)
    assert traced.metrics["TracesLost"] == 1
    assert traced.log == []
    assert "CANARY" not in caplog.text


@pytest.mark.parametrize("size", [1, 100_000, 1_000_000])
def test_records_fit_an_event_of_the_log_and_give_the_request_back(size):
    request = random.Random(size).randbytes(size)
    lines = list(spool.records("a" * 32, request))
    assert all(len(line.encode()) < 262_144 - 26 for line in lines)
    assert all("\n" not in line and json.loads(line) for line in lines)
    assert list(spool.read(lines)) == [spool.Spooled("a" * 32, request)]


def test_records_are_found_among_other_lines_in_any_order_and_each_once():
    one, two = random.Random(1).randbytes(600_000), b"two"
    lines = [*spool.records("1" * 32, one), *spool.records("2" * 32, two)]
    assert len(lines) > 3
    shuffled = [*lines, "START RequestId: x", "{}", '{"trace_spool": 3}', '{"trace_spool"', *lines]
    random.Random(2).shuffle(shuffled)
    assert sorted(spool.read(shuffled), key=lambda run: run.trace_id) == [
        spool.Spooled("1" * 32, one),
        spool.Spooled("2" * 32, two),
    ]


def test_a_record_is_found_after_the_prefix_of_a_log_line():
    (line,) = spool.records("3" * 32, b"three")
    assert list(spool.read([f"2026-11-23T00:00:00Z\t{line}\n"])) == [spool.Spooled("3" * 32, b"three")]


def test_a_run_with_a_missing_record_is_not_sent_in_part():
    lines = list(spool.records("4" * 32, random.Random(4).randbytes(600_000)))
    assert list(spool.read(lines[1:])) == []
