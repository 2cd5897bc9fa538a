"""For tests of your agent, without a network: a model that answers from a script, and the trace of a run.

model = ScriptedModel(ToolUse("calculator", {"expression": "6 * 7"}), "42")
with recorded_trace() as trace:
    assert str(build_agent(model)("What is 6 * 7?")).strip() == "42"
assert model.requests[1][-1]["content"][0]["toolResult"]["status"] == "success"
assert "execute_tool calculator" in trace.names
"""

import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeAlias

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from strands.models import Model


@dataclass(frozen=True)
class ToolUse:
    """A model turn that calls a tool."""

    name: str
    arguments: Mapping[str, Any] | str = field(default_factory=dict)
    """The tool's input; a string is sent as it is, so a test can send invalid JSON."""
    text: str | None = None
    """The model's text before the call."""
    stop_reason: str = "tool_use"


@dataclass(frozen=True)
class Text:
    """A model turn that answers with a text, with any stop reason."""

    text: str
    stop_reason: str = "end_turn"


Turn: TypeAlias = str | Text | ToolUse | BaseException | Callable[[], Any]
"""One model turn: a text, a tool use, an exception to raise, or a function that returns one of these."""


class ScriptedModel(Model):
    """A Strands model that gives one turn of its script per call, the last one again and again.

    Every turn reports 11 input tokens and 7 output tokens.
    """

    def __init__(self, *script: Turn) -> None:
        self.script = list(script)
        self.requests: list[list[dict[str, Any]]] = []
        """The messages of each call so far."""

    def get_config(self) -> dict[str, Any]:
        """The model's configuration."""
        return {"model_id": "scripted"}

    def update_config(self, **_config: Any) -> NoReturn:
        """The script has no configuration.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError

    async def structured_output(self, *_args: Any, **_kwargs: Any) -> AsyncIterator[Any]:  # type: ignore[override]
        """The script has no structured output: script a tool use instead.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError
        yield

    async def stream(self, messages: Any, *_args: Any, **_kwargs: Any) -> AsyncIterator[Any]:
        """Give the events of the next turn.

        Raises:
            BaseException: the exception that the script contains.
        """
        self.requests.append([dict(message) for message in messages])
        turn = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if callable(turn):
            turn = turn()
        if isinstance(turn, BaseException):
            # An exception that is raised again would keep the traceback of each earlier call.
            raise turn.with_traceback(None)
        for event in _events(Text(turn) if isinstance(turn, str) else turn):
            yield event


def _events(turn: Text | ToolUse) -> list[dict[str, Any]]:
    """Bedrock's ConverseStream events of one turn."""
    events: list[dict[str, Any]] = [{"messageStart": {"role": "assistant"}}]
    if turn.text is not None:
        events += [{"contentBlockDelta": {"delta": {"text": turn.text}}}, {"contentBlockStop": {}}]
    if isinstance(turn, ToolUse):
        arguments = turn.arguments if isinstance(turn.arguments, str) else json.dumps(turn.arguments)
        start = {"toolUse": {"toolUseId": "t1", "name": turn.name}}
        events += [
            {"contentBlockStart": {"start": start}},
            {"contentBlockDelta": {"delta": {"toolUse": {"input": arguments}}}},
            {"contentBlockStop": {}},
        ]
    usage = {"inputTokens": 11, "outputTokens": 7, "totalTokens": 18}
    return [
        *events,
        {"messageStop": {"stopReason": turn.stop_reason}},
        {"metadata": {"usage": usage, "metrics": {"latencyMs": 1}}},
    ]


@dataclass
class Trace:
    """The spans of the runs in a `recorded_trace` block, in the order in which they ended."""

    spans: list[ReadableSpan] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """The spans' names in the order in which they started."""
        return [span.name for span in sorted(self.spans, key=lambda span: span.start_time or 0)]

    @property
    def tree(self) -> str:
        """The spans as text: one a line, indented by two spaces below its parent."""
        return "\n".join(self._lines(None, ""))

    def _lines(self, parent: int | None, indent: str) -> Iterator[str]:
        known = {span.context.span_id for span in self.spans}
        for span in sorted(self.spans, key=lambda span: span.start_time or 0):
            above = span.parent.span_id if span.parent and span.parent.span_id in known else None
            if above == parent:
                yield indent + span.name
                yield from self._lines(span.context.span_id, indent + "  ")


@contextmanager
def recorded_trace() -> Iterator[Trace]:
    """Record the spans that end in this block, in place of sending them to a trace backend."""
    provider = trace.get_tracer_provider()
    if not isinstance(provider, TracerProvider):
        provider = TracerProvider()
        trace.set_tracer_provider(provider)
    recorder = _Recorder()
    provider.add_span_processor(SimpleSpanProcessor(recorder))  # OpenTelemetry cannot remove one again
    try:
        yield recorder.trace
    finally:
        recorder.recording = False


class _Recorder(SpanExporter):
    def __init__(self) -> None:
        self.trace = Trace()
        self.recording = True

    def export(self, spans: Any) -> SpanExportResult:
        if self.recording:
            self.trace.spans += spans
        return SpanExportResult.SUCCESS
