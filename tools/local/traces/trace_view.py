"""A trace as a tree in the terminal: what the page shows, shortened."""

from collections.abc import Iterator

from tools.local.traces.observation import Message, Observation, observation
from tools.local.traces.received_trace import Span, Trace

_MAX_CHARS = 100


def text(trace: Trace) -> str:
    """The observations below one another, each with its type, name, latency, input and output."""
    known = {span.span_id for span in trace.spans}
    lines = [f"trace {trace.trace_id}"]
    for span in trace.spans:
        if span.parent_id not in known:
            lines += [_title(observation(span)), *_below(trace, span, "")]
    return "\n".join([*lines, ""])


def _below(trace: Trace, span: Span, indent: str) -> Iterator[str]:
    children = trace.children(span)
    for line in _details(span):
        yield f"{indent}{'│  ' if children else '   '}{line}"
    for child in children:
        last = child is children[-1]
        yield f"{indent}{'└─ ' if last else '├─ '}{_title(observation(child))}"
        yield from _below(trace, child, indent + ("   " if last else "│  "))


def _title(seen: Observation) -> str:
    failed = f"  ERROR {_short(seen.error)}" if seen.error else ""
    return f"{seen.type} {seen.name}  {seen.duration_ms:.1f} ms{failed}"


def _details(span: Span) -> Iterator[str]:
    seen = observation(span)
    if span.parent_id is None:
        labels = {"session": "session.id", "user": "user.id", "tags": "langfuse.trace.tags"}
        for label, name in labels.items():
            if name in span.attributes:
                yield f"{label}: {_value(span.attributes[name])}"
    if seen.model:
        yield f"model: {seen.model}"
    if seen.input_tokens is not None:
        yield f"tokens: {seen.input_tokens} in, {seen.output_tokens} out"
    if (seen.input and seen.type != "SPAN") or span.parent_id is None:
        yield from _messages("input", seen.input[-1:])
        yield from _messages("output", seen.output[-1:])


def _messages(label: str, messages: tuple[Message, ...]) -> Iterator[str]:
    for message in messages:
        yield f"{label}: {_short(message.text)}"


def _value(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else _short(str(value))


def _short(value: str) -> str:
    line = " ".join(value.split())
    return line if len(line) <= _MAX_CHARS else f"{line[: _MAX_CHARS - 1]}…"
