"""Removes content from traces: `TRACE_CONTENT=metadata`.

It lists the attributes that are kept, so an unknown attribute is removed.
"""

from collections.abc import Mapping
from typing import Any, Final

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import Status, StatusCode

from traced_agent.tracing.spans import copy_span

_KEYS: Final = frozenset(
    {
        "gen_ai.operation.name",
        "gen_ai.system",
        "gen_ai.provider.name",
        "gen_ai.event.start_time",
        "gen_ai.event.end_time",
        "gen_ai.agent.name",
        "gen_ai.agent.tools",
        "gen_ai.tool.name",
        "gen_ai.tool.call.id",
        "gen_ai.tool.status",
        "event_loop.cycle_id",
        "event_loop.parent_cycle_id",
        "strands.cancellation.type",
        "session.id",
        "user.id",
        "langfuse.observation.type",
        "langfuse.observation.level",
        "langfuse.observation.model.name",
        "langfuse.observation.usage_details",
        "langfuse.observation.cost_details",
        "langfuse.trace.name",
        "langfuse.trace.tags",
        "langfuse.environment",
        "langfuse.release",
        "langfuse.version",
        "exception.type",
        "finish_reason",
        "langfuse.observation.completion_start_time",
        "langfuse.observation.model.parameters",
        "langfuse.observation.prompt.name",
        "langfuse.observation.prompt.version",
        "openinference.span.kind",
        "llm.model_name",
        "tool.name",
        "gen_ai.conversation.id",
        "error.type",
        "role",
    }
)
_PREFIXES: Final = (
    "gen_ai.usage.",
    "gen_ai.request.",
    "llm.token_count.",
    "gen_ai.server.",
    "langfuse.trace.metadata.",
    "langfuse.internal.",
    "traced_agent.",
)


def without_content(span: ReadableSpan) -> ReadableSpan:
    """Return the span with structure, timing, usage and ids; without prompt, answer, tool argument or result.

    Error messages are removed too, because they can quote any of those; error codes and types are kept.
    """
    attributes = span.attributes or {}
    code = attributes.get("traced_agent.error") or attributes.get("traced_agent.stop_reason")
    reason = {"langfuse.observation.status_message": code} if code else {}
    return copy_span(
        span,
        attributes={**_without_content(attributes), **reason},
        events=tuple(
            Event(event.name, _without_content(event.attributes), event.timestamp) for event in span.events
        ),
        status=_status(span, code),
    )


def _status(span: ReadableSpan, code: Any) -> Status:
    failed = span.status.status_code is StatusCode.ERROR
    return Status(span.status.status_code, str(code) if failed and code else None)


def _without_content(attributes: Mapping[str, Any] | None) -> dict[str, Any]:
    return {
        key: value for key, value in (attributes or {}).items() if key in _KEYS or key.startswith(_PREFIXES)
    }
