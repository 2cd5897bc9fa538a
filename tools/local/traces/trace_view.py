"""A trace as a tree that a person can read."""

import json
from collections.abc import Iterator
from typing import Any

from tools.local.traces.received_trace import Span, Trace

_SHOWN = 100


def text(trace: Trace) -> str:
    """The trace's spans, indented below one another, with what went in and came out of the root."""
    known = {span.span_id for span in trace.spans}
    lines = [f"trace {trace.trace_id}"]
    for span in trace.spans:
        if span.parent_id not in known:
            lines += [_title(span), *_below(trace, span, "")]
    return "\n".join([*lines, ""])


def _below(trace: Trace, span: Span, indent: str) -> Iterator[str]:
    children = trace.children(span)
    yield from (f"{indent}{'│  ' if children else '   '}{key}: {value}" for key, value in _details(span))
    for child in children:
        last = child is children[-1]
        yield f"{indent}{'└─ ' if last else '├─ '}{_title(child)}"
        yield from _below(trace, child, indent + ("   " if last else "│  "))


def _title(span: Span) -> str:
    kind = span.attributes.get("langfuse.observation.type", "")
    failed = f"  FAILED {span.message}".rstrip() if span.status == "error" else ""
    return f"{span.name}{f' ({kind})' if kind else ''}  {(span.end_ns - span.start_ns) / 1e6:.1f} ms{failed}"


def _details(span: Span) -> Iterator[tuple[str, str]]:
    names = {
        "input": "langfuse.observation.input",
        "output": "langfuse.observation.output",
        "session": "session.id" if span.parent_id is None else "",
        "user": "user.id" if span.parent_id is None else "",
        "tags": "langfuse.trace.tags" if span.parent_id is None else "",
        "tool": "gen_ai.tool.name",
        "model": "gen_ai.request.model" if span.name == "chat" else "",
    }
    for label, name in names.items():
        if name in span.attributes:
            yield label, _short(span.attributes[name])
    if span.name == "chat" and "gen_ai.usage.input_tokens" in span.attributes:
        used = span.attributes
        yield (
            "tokens",
            f"{used['gen_ai.usage.input_tokens']} in, {used.get('gen_ai.usage.output_tokens')} out",
        )


def _short(value: Any) -> str:
    shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return shown if len(shown) <= _SHOWN else f"{shown[: _SHOWN - 1]}…"
