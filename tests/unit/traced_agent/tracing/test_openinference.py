"""Other backends show inputs, outputs and kinds of spans on the plain OTLP path."""

import contextlib
import json
import socket
import threading

import pytest

from traced_agent.settings import Settings
from traced_agent.testing import ScriptedModel, ToolUse
from traced_agent.tracing.span_export import span_converter
from traced_agent.tracing.spans import SCOPE, RunTracerProvider, SpanBuffer, build_resource
from traced_agent.tracing.tracer import RunTracer

OTLP = Settings(otlp_endpoint="http://127.0.0.1:4318/v1/traces")
CONVENTIONS = ["", "gen_ai_latest_experimental,gen_ai_span_attributes_only", "gen_ai_latest_experimental"]


@pytest.fixture(params=CONVENTIONS, ids=["default", "latest, attributes", "latest, events"])
def exported(request, monkeypatch):
    """Runs an agent with a tool under these conventions; returns its exported spans by name."""
    from opentelemetry import trace
    from strands import Agent, tool
    from strands.telemetry import tracer as strands_tracer

    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", request.param)
    buffer = SpanBuffer(1.0)
    provider = RunTracerProvider(buffer, build_resource({}, version="1", environment="", release=""))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    monkeypatch.setattr(strands_tracer, "_tracer_instance", None)

    @tool
    def look_up(word: str) -> str:
        """Look a word up."""
        return "a result"

    def run(settings=OTLP):
        tracer = RunTracer(settings, provider.get_tracer(SCOPE))
        with tracer.observe(name="query", run_id="r", query={"query": "Hi"}, session_id="s") as observation:
            model = ScriptedModel(ToolUse("look_up", {"word": "an argument"}), "An answer")
            Agent(model, tools=[look_up], callback_handler=None)("Hi")
            observation.answer({"response": "An answer"})
        convert = span_converter(settings, {})
        return {span.name: convert(span) for span in buffer.finished.popleft()}

    return run


def test_the_root_has_input_output_kind_and_status(exported):
    root = exported()["query"]
    assert json.loads(root.attributes["input.value"]) == {"query": "Hi"}
    assert json.loads(root.attributes["output.value"]) == {"response": "An answer"}
    assert root.attributes["openinference.span.kind"] == "CHAIN"
    assert root.attributes["gen_ai.conversation.id"] == "s"
    assert root.status.status_code.name == "OK"


def test_agents_model_calls_and_tools_have_their_kind_input_and_output(exported):
    spans = exported()
    kinds = {name: span.attributes["openinference.span.kind"] for name, span in spans.items()}
    assert kinds["chat"] == "LLM"
    assert kinds["execute_tool look_up"] == "TOOL"
    assert kinds["invoke_agent Strands Agents"] == "AGENT"
    tool = spans["execute_tool look_up"].attributes
    for name in ("input.value", "gen_ai.tool.call.arguments"):
        assert "an argument" in tool[name]
    for name in ("output.value", "gen_ai.tool.call.result"):
        assert "a result" in tool[name]
    chat = spans["chat"].attributes
    assert "An answer" in chat["output.value"]
    assert (chat["llm.token_count.prompt"], chat["llm.token_count.completion"]) == (11, 7)
    agent = spans["invoke_agent Strands Agents"].attributes
    assert "Hi" in agent["input.value"]
    assert "An answer" in agent["output.value"]
    assert not any(name.startswith("gen_ai.usage.") for name in agent)


def test_without_content_no_text_is_added(exported):
    settings = Settings(otlp_endpoint=OTLP.otlp_endpoint, trace_content="metadata")
    spans = exported(settings)
    text = repr(
        [(dict(span.attributes), [dict(e.attributes) for e in span.events]) for span in spans.values()]
    )
    for canary in ("an argument", "a result", "An answer", "input.value", "output.value"):
        assert canary not in text
    assert spans["chat"].attributes["openinference.span.kind"] == "LLM"


def test_a_grpc_port_is_reported_in_words_without_binary_data(tracing_to, caplog):
    server = socket.create_server(("127.0.0.1", 0))

    def answer_like_grpc(connection):
        connection.recv(65536)
        connection.sendall(b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x04\x00\x10\x00\x00" * 4)
        connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionError):
            while connection.recv(65536):  # closing with unread bytes would reset the connection
                continue
        connection.close()

    def accept_all():
        with contextlib.suppress(OSError):  # the socket is closed
            while True:
                connection, _ = server.accept()
                threading.Thread(target=answer_like_grpc, args=[connection], daemon=True).start()

    threading.Thread(target=accept_all, daemon=True).start()
    traced = tracing_to(f"http://127.0.0.1:{server.getsockname()[1]}/v1/traces")
    traced.run("one")
    traced.export()
    server.close()
    assert "OTLP over gRPC is not supported" in caplog.text
    assert "\\x00" not in caplog.text
    assert "\x00" not in caplog.text


def test_binary_data_in_a_response_is_not_logged(traced, backend, caplog):
    backend.behave = backend.answering(415, b"\x00\x01\xff binary")
    traced.run("one")
    traced.export()
    assert "415: 10 binary bytes" in caplog.text
    assert "\x00" not in caplog.text
