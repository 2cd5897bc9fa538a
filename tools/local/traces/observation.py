"""What a received span shows as an observation, in Langfuse's terms: type, level, input, output, tokens.

Strands writes messages as span events or, with the newer conventions, as attributes; both are read.
https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tools.local.traces.received_trace import Span

_TYPES = {
    "invoke_agent": "AGENT",
    "chat": "GENERATION",
    "execute_tool": "TOOL",
}
"""Langfuse's type of an observation by its GenAI operation; a type that the span names itself comes first."""

_ROLES = {"gen_ai.choice": "assistant", "gen_ai.tool.message": "tool"}


@dataclass(frozen=True)
class Message:
    """One message of a conversation."""

    role: str
    text: str


@dataclass(frozen=True)
class Observation:
    """A span, as Langfuse shows it."""

    type: str
    name: str
    duration_ms: float
    error: str
    """The status message of a failed observation; `ERROR` if it gave none; else empty."""
    input: tuple[Message, ...]
    output: tuple[Message, ...]
    model: str
    input_tokens: int | None
    output_tokens: int | None


def observation(span: Span) -> Observation:
    """Read a span."""
    known = span.attributes
    operation = str(known.get("gen_ai.operation.name", ""))
    own = str(known.get("langfuse.observation.type", "span")).upper()
    kind = _TYPES.get(operation, "SPAN") if own == "SPAN" else own
    generation = kind == "GENERATION"
    failed = span.status == "error" or known.get("langfuse.observation.level") == "ERROR"
    return Observation(
        type=kind,
        name=span.name,
        duration_ms=(span.end_ns - span.start_ns) / 1e6,
        error=(span.message or "ERROR") if failed else "",
        input=tuple(_input(span)),
        output=tuple(_output(span)),
        model=str(known.get("gen_ai.request.model", "")) if generation else "",
        input_tokens=known.get("gen_ai.usage.input_tokens") if generation else None,
        output_tokens=known.get("gen_ai.usage.output_tokens") if generation else None,
    )


def _input(span: Span) -> Iterator[Message]:
    known = span.attributes
    if "langfuse.observation.input" in known:
        yield Message("", _pretty(known["langfuse.observation.input"]))
        return
    if "gen_ai.system_instructions" in known:
        yield Message("system", _pretty(known["gen_ai.system_instructions"]))
    if "gen_ai.input.messages" in known:
        yield from _messages(known["gen_ai.input.messages"])
    if "gen_ai.tool.call.arguments" in known:
        yield Message("", _pretty(known["gen_ai.tool.call.arguments"]))
    for event in span.events:
        if (content := event["attributes"].get("content")) is not None:
            yield Message(_role(event), _pretty(content))


def _output(span: Span) -> Iterator[Message]:
    known = span.attributes
    if "langfuse.observation.output" in known:
        yield Message("", _pretty(known["langfuse.observation.output"]))
        return
    if "gen_ai.output.messages" in known:
        yield from _messages(known["gen_ai.output.messages"])
    if "gen_ai.tool.call.result" in known:
        yield Message("", _pretty(known["gen_ai.tool.call.result"]))
    for event in span.events:
        if (message := event["attributes"].get("message")) is not None:
            yield Message("" if span.name.startswith("execute_tool") else "assistant", _pretty(message))


def _role(event: Mapping[str, Any]) -> str:
    name = str(event["name"])
    return _ROLES.get(name, name.removeprefix("gen_ai.").removesuffix(".message"))


def _messages(value: Any) -> Iterator[Message]:
    decoded = _decoded(value)
    if not isinstance(decoded, list):
        yield Message("", _pretty(value))
        return
    for message in decoded:
        if isinstance(message, dict):
            yield Message(str(message.get("role", "")), _pretty(message.get("parts", message)))
        else:
            yield Message("", _pretty(message))


def _pretty(value: Any) -> str:
    """Text as text; a list of blocks one after another; anything else as JSON."""
    decoded = _decoded(value)
    if isinstance(decoded, str):
        return decoded.strip()
    if isinstance(decoded, list):
        return "\n".join(map(_block, decoded))
    return json.dumps(decoded, ensure_ascii=False)


def _block(block: Any) -> str:
    if not isinstance(block, dict):
        return _pretty(block)
    if isinstance(text := block.get("text", block.get("content")), str):
        return text.strip()
    call = block.get("toolUse") if "toolUse" in block else block if block.get("type") == "tool_call" else None
    if isinstance(call, dict):
        return f"→ {call.get('name')}({_pretty(call.get('input', call.get('arguments')))})"
    result = block.get("toolResult", block if block.get("type") == "tool_call_response" else None)
    if isinstance(result, dict):
        return f"← {_pretty(result.get('content', result.get('response', result.get('result'))))}"
    return json.dumps(block, ensure_ascii=False)


def _decoded(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value) if value[:1] in "[{" else value
    except ValueError:
        return value
