"""Spooled traces come back as they were, from a file or from CloudWatch, however often."""

import json
import os
import subprocess
import sys
import time

import pytest
from botocore.exceptions import ClientError
from opentelemetry.sdk.resources import Resource

from tools.aws import replay_traces
from tools.command import Failure
from tools.local.fakes.langfuse_server import FakeLangfuse
from traced_agent.tracing import langfuse_protocol, spool
from traced_agent.tracing.otlp_encoding import encode
from traced_agent.tracing.spans import SCOPE, RunTracerProvider, SpanBuffer


@pytest.fixture
def langfuse():
    with FakeLangfuse() as langfuse:
        yield langfuse


@pytest.fixture
def replay(langfuse, log):
    """Replays a file, by default the log, to the receiver."""

    def run(*options, file=log, **environ):
        keys = {"LANGFUSE_PUBLIC_KEY": langfuse.public_key, "LANGFUSE_SECRET_KEY": langfuse.secret_key}
        where = {"LANGFUSE_HOST": langfuse.url, **keys, **environ}
        return replay_traces.main(["--file", str(file), *options], where)

    return run


@pytest.fixture
def runs():
    """Two runs' spans, as the function has them when it must drop them."""
    buffer = SpanBuffer(1.0)
    tracer = RunTracerProvider(buffer, Resource({"service.name": "fn"})).get_tracer(SCOPE)
    for name in ("first", "second"):
        with tracer.start_as_current_span(name, attributes={"text": "x" * 300_000}):
            tracer.start_span("child").end()
    return list(buffer.finished)


@pytest.fixture
def log(runs, tmp_path):
    """A log with the records of both, and other lines."""
    lines = ["START RequestId: x", "{}"]
    for spans in runs:
        trace_id = format(spans[0].context.trace_id, "032x")
        lines += spool.records(trace_id, encode([langfuse_protocol.to_langfuse_span(span) for span in spans]))
    path = tmp_path / "log"
    path.write_text("\n".join(lines))
    return path


def ids(runs):
    return {(s.context.trace_id, s.context.span_id, s.name) for spans in runs for s in spans}


def received(langfuse):
    return [(int(s.trace_id, 16), int(s.span_id, 16), s.name) for t in langfuse.traces() for s in t.spans]


def test_a_file_gives_the_same_traces(langfuse, runs, replay, capsys):
    assert replay() == 0
    assert len(received(langfuse)) == 4
    assert set(received(langfuse)) == ids(runs)
    assert "2 of 2 traces sent" in capsys.readouterr().out
    (export, _) = langfuse.exports
    assert export.headers["x-langfuse-ingestion-version"] == "4"
    assert {span.scope for span in export.spans} == {"langfuse-sdk"}


def test_sent_twice_they_are_still_the_same(langfuse, runs, log, replay):
    log.write_text(log.read_text() + "\n" + log.read_text())
    replay()
    assert len(received(langfuse)) == 4
    replay()
    assert set(received(langfuse)) == ids(runs)


def test_json_output_has_the_number_of_sent_traces(langfuse, replay, capsys):
    assert replay("--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["failed"] == {}
    assert set(told["sent"]) == {trace.trace_id for trace in langfuse.traces()}


def test_what_could_not_be_sent_is_named_with_the_reason(langfuse, replay, capsys):
    langfuse.inject_fault("unavailable", times=1)
    assert replay("--json") == 1
    (why,) = json.loads(capsys.readouterr().out)["failed"].values()
    assert why.startswith("503")


def test_any_collector_may_be_given(langfuse, replay):
    replay(OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"{langfuse.url}/v1/traces")
    assert {export.path for export in langfuse.exports} == {"/v1/traces"}


def test_a_log_group_is_read_page_by_page(log):
    class Logs:
        def get_paginator(self, name):
            assert name == "filter_log_events"
            return self

        def paginate(self, **asked):
            self.asked = asked
            for line in log.read_text().splitlines():
                yield {"events": [{"message": line}]}

    logs, since = Logs(), time.time() - 60
    assert len(list(spool.read(replay_traces.events(logs, "/aws/lambda/fn", since)))) == 2
    assert logs.asked["logGroupName"] == "/aws/lambda/fn"
    assert logs.asked["startTime"] == int(since * 1000)


def test_a_missing_log_group_is_one_line():
    class Logs:
        def get_paginator(self, name):
            return self

        def paginate(self, **asked):
            yield from ()
            raise ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "FilterLogEvents")

    with pytest.raises(Failure, match=r"/none cannot be read \(ResourceNotFoundException\)"):
        list(replay_traces.events(Logs(), "/none", 0))


def test_without_a_destination_the_message_names_what_to_set(replay):
    with pytest.raises(Failure, match="set LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY"):
        replay(LANGFUSE_SECRET_KEY="")


def test_a_wrong_setting_is_named(replay):
    with pytest.raises(Failure, match="LANGFUSE_HOST must be"):
        replay(LANGFUSE_HOST="langfuse")


def test_a_missing_file_is_one_line(replay):
    with pytest.raises(Failure, match="cannot be read"):
        replay(file="nowhere")


def test_spooled_scores_are_sent_once_each(langfuse, log, replay, capsys):
    score = {"id": "a", "traceId": "0" * 32, "name": "user-feedback", "value": 1}
    refused = {**score, "id": "b", "name": ""}
    log.write_text("\n".join(map(spool.score_record, [score, {**score, "value": -1}, refused])))
    assert replay("--json") == 1
    told = json.loads(capsys.readouterr().out)
    assert told["scores"] == ["a"]
    assert "400" in told["failed"]["b"]
    assert langfuse.records.scores == {"a": {**score, "value": -1}}


def test_a_log_on_standard_input_may_contain_invalid_utf8(langfuse, log):
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("LANGFUSE_", "OTEL_"))},
        "PYTHONIOENCODING": "utf-8:strict",
        "LANGFUSE_PUBLIC_KEY": langfuse.public_key,
        "LANGFUSE_SECRET_KEY": langfuse.secret_key,
        "LANGFUSE_HOST": langfuse.url,
    }
    ran = subprocess.run(
        [sys.executable, "-m", "tools.aws.replay_traces", "--file", "-", "--json"],
        check=False, capture_output=True, env=environ, input=b"Z\xfcrich\n" + log.read_bytes(),
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert len(json.loads(ran.stdout)["sent"]) == 2


GOOD = next(spool.records("a" * 32, b"request"))


@pytest.mark.parametrize(
    "damaged",
    [
        '{"trace_spool": {}}',
        '{"trace_spool": {"trace_id": "a"}}',
        GOOD.replace('"part": 0', '"part": "0"'),
        GOOD.replace('"parts": 1', '"parts": 1.5'),
        GOOD.replace('"data": "', '"data": "%%%'),
        GOOD.replace('"data": "H4sI', '"data": "AAAA'),
        GOOD[: len(GOOD) // 2],
        '{"score_spool": 5}',
    ],
)
def test_a_damaged_line_is_ignored(damaged):
    assert [spooled.request for spooled in spool.read([damaged, GOOD])] == [b"request"]
    assert list(spool.read_scores([damaged])) == []
