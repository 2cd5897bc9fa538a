"""What a backend does not take is split, isolated, mended or kept; what must go is counted."""

import logging

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from traced_agent.tracing.otlp_encoding import parse_headers


def test_a_batch_that_is_too_large_is_split(traced, backend):
    def behave(handler, spans):
        return backend.say(handler, 413) if len(spans) > 2 else backend.accept(handler, spans)

    backend.behave = behave
    traced.run("root", *"abcdefg")
    traced.export()
    assert sorted(backend.names) == [*"abcdefg", "root"]
    assert traced.metrics == {"TracesExported": 1}


def test_a_span_that_is_too_large_is_sent_with_shorter_values(traced, backend):
    def behave(handler, spans):
        too_large = any(span.ByteSize() > 20_000 for span in spans)
        return backend.say(handler, 413) if too_large else backend.accept(handler, spans)

    backend.behave = behave
    traced.run("root", text="long " * 10_000)
    traced.export()
    assert backend.names == ["root"]
    (text,) = (pair.value.string_value for pair in backend.spans[0].attributes if pair.key == "text")
    assert text.startswith("long long")
    assert text.endswith("…")
    assert traced.metrics == {"TracesExported": 1}


def test_one_malformed_span_does_not_take_the_others_with_it(traced, backend, caplog):
    def behave(handler, spans):
        bad = any(span.name == "bad" for span in spans)
        return backend.say(handler, 400, b"no such thing") if bad else backend.accept(handler, spans)

    backend.behave = behave
    traced.run("root", "a", "b", "bad", "c")
    traced.run("other")
    traced.export()
    assert sorted(backend.names) == ["a", "b", "c", "other", "root"]
    assert traced.waiting == []
    assert traced.metrics == {"TracesExported": 1, "TracesLost": 1}
    assert "span bad of trace" in caplog.text
    assert "no such thing" in caplog.text


def test_a_backend_that_rejects_every_span_is_retried_twice_before_spans_are_dropped(traced, backend):
    backend.behave = backend.answering(400, b"maintenance")
    traced.run("root", "a")
    traced.export()
    traced.export()
    assert sorted(traced.waiting) == ["a", "root"]
    traced.export()
    assert traced.waiting == []
    assert traced.metrics["TracesLost"] == 1


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ((200, b"<html>Sign in</html>", "text/html; charset=utf-8"), "a page of HTML"),
        ((302, b"", "text/plain"), "does not support this request"),
        ((404, b"nothing here", "text/plain"), "nothing here"),
        ((500, b"oops", "text/plain"), "oops"),
        ((429, b"slowly", "text/plain"), "slowly"),
        ((401, b"who?", "text/plain"), "credentials"),
        ((403, b"no", "text/plain"), "credentials"),
    ],
)
def test_a_response_without_success_keeps_the_spans_and_is_logged_once(traced, backend, caplog, answer, says):
    backend.behave = backend.answering(*answer)
    for _ in range(3):
        traced.run("one")
        traced.export()
    assert len(traced.waiting) == 3
    assert "TracesExported" not in traced.metrics
    assert caplog.text.count("traces are not sent") == 1
    assert says in caplog.text

    backend.behave = backend.accept
    traced.now += 5  # the pause after a 429
    traced.export()
    assert len(backend.names) == 3
    assert caplog.text.count("traces are sent again") == 1


def test_spans_that_an_accepting_backend_rejects_are_counted(traced, backend, caplog):
    response = ExportTraceServiceResponse()
    response.partial_success.rejected_spans = 2
    response.partial_success.error_message = "too old"
    backend.behave = backend.answering(200, response.SerializeToString(), "application/x-protobuf")
    traced.run("one")
    traced.export()
    assert traced.metrics["TracesLost"] == 1
    assert "2 spans were rejected: too old" in caplog.text


@pytest.mark.parametrize("text", ["half a pair \ud83d", "\x00", "ünïcödé 🙂", b"\xff\xfe".decode("latin-1")])
def test_invalid_utf8_does_not_lose_the_batch(traced, backend, text):
    traced.run("root", text, text=text, texts=(text, "fine"))
    traced.run("other", text="fine")
    traced.export()
    assert len(backend.names) == 3
    assert traced.metrics == {"TracesExported": 2}


def test_a_span_that_cannot_be_encoded_does_not_take_the_others_with_it(traced, backend, caplog):
    """Its start in seconds, say, where nanoseconds are wanted."""
    with traced.tracer.start_as_current_span("root"):
        traced.tracer.start_span("bad", start_time=1795458004.5).end()
        traced.tracer.start_span("good", attributes={"number": 2**70}).end()
    traced.export()
    assert sorted(backend.names) == ["good", "root"]
    assert traced.metrics == {"TracesLost": 1}
    assert "it cannot be encoded" in caplog.text


def test_a_very_long_value_is_shortened(traced, backend):
    traced.run("root", text="x" * 3_000_000)
    traced.export()
    (text,) = (pair.value.string_value for pair in backend.spans[0].attributes if pair.key == "text")
    assert len(text) == 1_000_000


def test_the_memory_for_waiting_runs_is_bounded_and_the_oldest_are_dropped_first(tracing_to, backend, caplog):
    traced = tracing_to(backend.url, backlog_bytes=50_000)
    backend.behave = backend.answering(503)
    for number in range(10):
        traced.run(f"run-{number}", text="x" * 10_000)
        traced.export(1)
    assert traced.waiting == ["run-6", "run-7", "run-8", "run-9"]
    assert traced.metrics["TracesLost"] == 6
    assert caplog.text.count("is lost: the memory for waiting traces is full") == 6

    backend.behave = backend.accept
    traced.export()
    assert backend.names == ["run-6", "run-7", "run-8", "run-9"]
    assert traced.metrics["TracesExported"] == 4


def test_nothing_secret_is_logged(tracing_to, backend, caplog):
    caplog.set_level(logging.DEBUG)
    traced = tracing_to(backend.url)
    traced.queue._backend.client.headers["authorization"] = "Basic CANARY"
    backend.behave = backend.answering(401, b"wrong keys")
    traced.run("one")
    traced.export()
    assert "CANARY" not in caplog.text + repr(traced.queue._backend.client)


def test_a_key_that_is_invalid_in_a_header_is_not_quoted(tracing_to, backend, caplog):
    traced = tracing_to(backend.url)
    for broken in ("CANARY\n", "CANARY\u2026"):
        traced.queue._backend.client.headers["authorization"] = broken
        traced.run("one")
        traced.export()
    assert "a header's value has invalid characters" in caplog.text
    assert "CANARY" not in caplog.text


def test_headers_are_read_as_opentelemetry_spells_them():
    assert parse_headers("Api-Key=a%20b, x-team = core,,broken") == {"api-key": "a b", "x-team": "core"}
