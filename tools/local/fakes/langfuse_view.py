"""What a real Langfuse server (4.16, v4 events) shows of a trace: tests compare it with the run."""

import json
from typing import Any

from tools.local.traces.received_trace import Span, Trace

LANGFUSE = "langfuse."
OBSERVATION = "langfuse.observation."
METADATA = "langfuse.trace.metadata."


def trace_view(trace: Trace) -> dict[str, Any]:
    """The trace as Langfuse shows it: its labels, input and output, and its observations."""
    root = trace.root or trace.spans[0]
    observations = [observation_view(span) for span in trace.spans]
    return {
        "id": trace.trace_id,
        "name": root.attributes.get("langfuse.trace.name", root.name),
        # A root with a remote parent has no input and output at trace level.
        "input": _json(root.attributes.get(OBSERVATION + "input")) if trace.root else None,
        "output": _json(root.attributes.get(OBSERVATION + "output", "undefined")) if trace.root else None,
        "userId": root.attributes.get("user.id"),
        "sessionId": root.attributes.get("session.id"),
        "tags": sorted(
            {tag for span in trace.spans for tag in span.attributes.get("langfuse.trace.tags", ())}
        ),
        "metadata": {
            name.removeprefix(METADATA): _json(value)
            for name, value in root.attributes.items()
            if name.startswith(METADATA)
        },
        "level": observations[0]["level"] if trace.spans[0] is root else observation_view(root)["level"],
        "statusMessage": root.attributes.get(OBSERVATION + "status_message"),
        "totalTokens": sum(sum(each["usage"].values()) for each in observations),
        "observations": observations,
    }


def observation_view(span: Span) -> dict[str, Any]:
    """One observation as Langfuse shows it."""
    attributes = span.attributes
    failed = span.status == "error"
    return {
        "name": span.name,
        "type": _type(span),
        "startNs": span.start_ns,
        "endNs": span.end_ns,
        "level": attributes.get(OBSERVATION + "level", "ERROR" if failed else "DEFAULT"),
        "model": attributes.get("gen_ai.request.model"),
        "usage": _usage(span),
        "parameters": {
            name.removeprefix("gen_ai.request."): value
            for name, value in attributes.items()
            if name.startswith("gen_ai.request.") and name != "gen_ai.request.model"
        },
        # gen_ai.server.time_to_first_token is not read.
        "completionStartTime": _json(attributes.get(OBSERVATION + "completion_start_time")),
        "promptName": attributes.get(OBSERVATION + "prompt.name"),
        "promptVersion": attributes.get(OBSERVATION + "prompt.version"),
        "input": _message(span, "input"),
        "output": _message(span, "output"),
        "readable": bool({"gen_ai.input.messages", "gen_ai.output.messages"} & attributes.keys()),
    }


def _type(span: Span) -> str:
    given = span.attributes.get(OBSERVATION + "type")
    if given:
        return str(given).upper()
    operation = span.attributes.get("gen_ai.operation.name")
    if operation == "execute_tool":
        return "TOOL"
    return "GENERATION" if operation in ("chat", "invoke_agent") else "SPAN"


def _usage(span: Span) -> dict[str, int]:
    """Tokens by kind; a generation without usage gets an estimate of the server's own."""
    names = {"input": "gen_ai.usage.input_tokens", "output": "gen_ai.usage.output_tokens"}
    usage = {kind: int(span.attributes[name]) for kind, name in names.items() if name in span.attributes}
    if _type(span) == "GENERATION" and not usage:
        return {"input": 1000, "output": 1000}
    return usage


def _message(span: Span, direction: str) -> Any:
    """Input or output: Langfuse reads its own attributes, GenAI's attributes, and the older event names.

    The newer event `gen_ai.client.inference.operation.details` is not read: its content is lost.
    """
    for name in (OBSERVATION + direction, f"gen_ai.{direction}.messages"):
        if name in span.attributes:
            return _json(span.attributes[name])
    events = [event for event in span.events if (event["name"] == "gen_ai.choice") == (direction == "output")]
    contents = [
        dict(event["attributes"]) for event in events if not event["name"].endswith("operation.details")
    ]
    return contents or None


def _json(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value
