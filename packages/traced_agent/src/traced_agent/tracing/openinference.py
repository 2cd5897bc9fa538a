"""Adds OpenInference attributes, which Arize Phoenix and other backends read, on the plain OTLP path.

Strands describes messages in span events, which these backends do not show as input and output.

Source: https://github.com/Arize-ai/openinference/blob/main/spec/semantic_conventions.md
"""

from collections.abc import Mapping
from typing import Any, Final

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import Status, StatusCode

from traced_agent.tracing.span_attributes import plain
from traced_agent.tracing.spans import SCOPE, copy_span

_KINDS: Final = {"invoke_agent": "AGENT", "chat": "LLM", "execute_tool": "TOOL"}
_INPUTS: Final = ("gen_ai.tool.call.arguments", "gen_ai.input.messages")
_OUTPUTS: Final = ("gen_ai.tool.call.result", "gen_ai.output.messages")
_INPUT_EVENTS: Final = ("gen_ai.user.message", "gen_ai.tool.message", "gen_ai.assistant.message")
_OUTPUT_EVENTS: Final = ("gen_ai.choice",)


def with_openinference(span: ReadableSpan) -> ReadableSpan:
    """Return the span with its kind, input, output, model and token counts in OpenInference's names."""
    attributes = plain(span.attributes)
    root = span.instrumentation_scope is not None and span.instrumentation_scope.name == SCOPE
    operation = str(attributes.get("gen_ai.operation.name", ""))
    added = {
        "openinference.span.kind": _KINDS.get(operation, "CHAIN"),
        **_root_texts(attributes),
        **_texts(attributes, span),
    }
    if operation == "chat":
        added |= {
            "llm.model_name": attributes.get("gen_ai.request.model"),
            "llm.token_count.prompt": attributes.get("gen_ai.usage.input_tokens"),
            "llm.token_count.completion": attributes.get("gen_ai.usage.output_tokens"),
            "llm.token_count.total": attributes.get("gen_ai.usage.total_tokens"),
        }
    if operation == "execute_tool":
        added["tool.name"] = attributes.get("gen_ai.tool.name")
        added["gen_ai.tool.call.arguments"] = added.get("input.value")
        added["gen_ai.tool.call.result"] = added.get("output.value")
    if root:
        added["gen_ai.operation.name"] = "invoke_workflow"
        added["gen_ai.conversation.id"] = attributes.get("session.id")
    present = {name: value for name, value in added.items() if value is not None}
    unset = span.status.status_code is StatusCode.UNSET
    status = Status(StatusCode.OK) if root and unset else span.status
    return copy_span(span, attributes={**present, **attributes}, status=status)


def _root_texts(attributes: Mapping[str, Any]) -> dict[str, Any]:
    texts: dict[str, Any] = {}
    for name in ("input", "output"):
        if (value := attributes.get(f"langfuse.observation.{name}")) is not None:
            texts |= {f"{name}.value": value, f"{name}.mime_type": "application/json"}
    return texts


def _texts(attributes: Mapping[str, Any], span: ReadableSpan) -> dict[str, Any]:
    """Input and output of a span of Strands: from its attributes, or from its events."""
    events = [(event.name, plain(event.attributes)) for event in span.events]
    sources = [attributes, *(found for _, found in events)]
    given = _first(sources, _INPUTS) or _last(events, _INPUT_EVENTS, "content")
    result = _first(sources, _OUTPUTS) or _last(events, _OUTPUT_EVENTS, "message")
    texts: dict[str, Any] = {}
    for name, value in (("input", given), ("output", result)):
        if value is not None:
            texts[f"{name}.value"] = value
            texts[f"{name}.mime_type"] = "application/json" if str(value)[:1] in ("{", "[") else "text/plain"
    return texts


def _first(sources: list[Any], names: tuple[str, ...]) -> Any:
    found = (source[name] for source in sources for name in names if name in source)
    return next(found, None)


def _last(events: list[tuple[str, dict[str, Any]]], names: tuple[str, ...], attribute: str) -> Any:
    """The attribute of the last event with one of the names."""
    found = (attributes.get(attribute) for name, attributes in reversed(events) if name in names)
    return next(found, None)
