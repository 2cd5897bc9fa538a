"""Export delays no response and loses no trace, with AWS's own runtime client and frozen environments."""

import shutil

import pytest


def test_each_trace_is_complete_before_the_environment_freezes(running, langfuse):
    with running(langfuse) as function:
        for number in range(3):
            body, _ = function.ask(f"What is {number} + 2?")
            function.drain()
            trace = langfuse.trace(body["trace_id"])
            names = [span.name for span in trace.spans]
            assert names[0] == "query"
            assert names.count("chat") == 2
            assert "execute_tool calculator" in names
            assert body["response"] in trace.root.attributes["langfuse.observation.output"]
        assert len(langfuse.traces()) == 3
        assert all(len({span.span_id for span in t.spans}) == len(t.spans) for t in langfuse.traces())
        assert function.metrics("TracesExported") == 3
        assert function.metrics("TracesLost") == 0


@pytest.mark.parametrize("fault", ["hang", "drip"])
def test_a_backend_that_hangs_delays_no_answer_and_gets_the_traces_when_it_works_again(
    running, langfuse, fault
):
    with running(langfuse, TRACE_EXPORT_TIMEOUT_S="6") as function:
        function.ask()
        function.drain()
        langfuse.inject_fault(fault)
        first, waited_s = function.ask()
        assert waited_s < 5.5, "the caller waited for the backend"
        assert 0.5 < function.drain() < 10, "the environment is busy for the bound, and no longer"
        langfuse.inject_fault("ok")
        second, _ = function.ask()
        function.drain()
        for body in (first, second):
            assert langfuse.trace(body["trace_id"]).root
        assert len(langfuse.traces()) == 3
        assert function.metrics("TracesRetried") == 1
        assert function.metrics("TracesLost") == 0


@pytest.mark.parametrize("fault", ["unavailable", "internal", "close", "html", "unauthorized"])
def test_exports_that_fail_lose_no_trace(running, langfuse, fault):
    with running(langfuse) as function:
        langfuse.inject_fault(fault)
        bodies = []
        for _ in range(2):
            bodies.append(function.ask()[0])
            function.drain()
        assert langfuse.traces() == []
        langfuse.inject_fault("ok")
        bodies.append(function.ask()[0])
        function.drain()
        assert {body["trace_id"] for body in bodies} == {trace.trace_id for trace in langfuse.traces()}
        assert sum("traces are not sent" in line for line in function.log) == 1, function.log


def test_a_batch_that_is_too_large_once_is_split(running, langfuse):
    with running(langfuse) as function:
        langfuse.inject_fault("too_large", times=1)
        body, _ = function.ask()
        function.drain()
        assert langfuse.trace(body["trace_id"]).root
        assert langfuse.attempts == 3


def test_with_trace_export_before_the_trace_arrives_before_the_answer(running, langfuse):
    with running(langfuse, TRACE_EXPORT="before", TRACE_EXPORT_TIMEOUT_S="5") as function:
        body, _ = function.ask()
        assert langfuse.trace(body["trace_id"]).root
        langfuse.inject_fault("hang")
        _, waited_s = function.ask()
        assert 4 < waited_s < 10


REFUSED = """
import os

api = os.environ.pop("AWS_LAMBDA_RUNTIME_API")
from the_handler import handler

os.environ["AWS_LAMBDA_RUNTIME_API"] = api
"""


def test_without_an_extension_the_trace_arrives_before_the_answer(running, source, langfuse, tmp_path):
    code = tmp_path / "src"
    shutil.copytree(source, code, ignore=shutil.ignore_patterns("__pycache__"))
    (code / "lambda_handler.py").rename(code / "the_handler.py")
    (code / "lambda_handler.py").write_text(REFUSED)
    for folder in (tmp_path, tmp_path.parent):
        folder.chmod(0o755)  # the sandbox is another user's to read
    with running(langfuse, code=code) as function:
        body, _ = function.ask()
        assert langfuse.trace(body["trace_id"]).root


def errors(trace):
    return [(span.name, span.message) for span in trace.spans if span.status == "error"]


def test_the_trace_of_a_run_past_its_deadline_has_the_reason_and_the_finished_steps(running, langfuse):
    with running(langfuse, timeout_s=9.0, TRACE_EXPORT_TIMEOUT_S="4.5") as function:
        function.ask("What is 2+2?")  # on a busy machine, the first request may take all of the time
        function.drain()
        body, _ = function.ask("[[hang]] Hello")
        assert body["error"]["code"] == "deadline_exceeded"
        function.drain()
        trace = langfuse.trace(body["trace_id"])
        assert trace.root.attributes["langfuse.observation.level"] == "ERROR"
        assert trace.root.message.startswith("deadline_exceeded")
        assert {name for name, _ in errors(trace)} == {span.name for span in trace.spans}
        assert "chat" in [span.name for span in trace.spans]
        assert function.metrics("TracesExported") == 2

        after, _ = function.ask("What is 2+2?")
        function.drain()
        assert errors(langfuse.trace(after["trace_id"])) == []


def test_a_denied_model_call_is_an_error_of_its_span_and_of_the_run(running, langfuse):
    with running(langfuse) as function:
        body, _ = function.ask("[[deny]] Hello")
        assert body["error"]["code"] == "model_access_denied"
        function.drain()
        trace = langfuse.trace(body["trace_id"])
        failed = dict(errors(trace))
        assert "AccessDenied" in failed["chat"]
        assert failed["query"].startswith("model_access_denied")


def test_a_tool_that_raises_is_an_error_of_the_tool_and_not_of_the_run(running, langfuse):
    with running(langfuse) as function:
        body, _ = function.ask('[[tool calculator {"expression": "1/0"}]]')
        function.drain()
        assert {name for name, _ in errors(langfuse.trace(body["trace_id"]))} == {"execute_tool calculator"}


def test_with_an_otlp_endpoint_that_collector_gets_the_trace_and_langfuse_none(running, langfuse):
    endpoint = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{langfuse.url}/v1/traces"}
    with running(langfuse, OTEL_EXPORTER_OTLP_TRACES_HEADERS="x-key=k%201", **endpoint) as function:
        body, _ = function.ask()
        function.drain()
    (export,) = langfuse.exports
    assert export.path == "/v1/traces"
    assert export.headers["x-key"] == "k 1"
    assert "authorization" not in export.headers
    assert langfuse.trace(body["trace_id"]).root
    assert body["langfuse_url"] is body["trace_url"] is None
