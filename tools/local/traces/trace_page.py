"""Traces as web pages: the list of traces, and one trace with its tree, time bars, messages and errors."""

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from html import escape

from tools.local.traces.observation import Message, Observation, observation
from tools.local.traces.received_trace import Span, Trace

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --bar: #3b82f6; --error: #dc2626; --dim: #6b7280; }
body { font: 14px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 0 auto; padding: 1rem; }
a { color: inherit; }
code, pre { font: 12px/1.5 ui-monospace, monospace; }
pre { margin: .2rem 0 .6rem; padding: .5rem; border: 1px solid var(--line); border-radius: .3rem;
  white-space: pre-wrap; overflow-wrap: anywhere; }
.dim { color: var(--dim); }
.error { color: var(--error); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 1rem; overflow-wrap: anywhere; }
dd { margin: 0; }
details { border-left: 1px solid var(--line); padding-left: .6rem; margin: .2rem 0 .2rem .3rem; }
summary { cursor: pointer; display: grid; grid-template-columns: 1fr min(18rem, 30vw); gap: 1rem;
  align-items: center; }
.name { overflow-wrap: anywhere; }
.type { font-size: 11px; border: 1px solid var(--line); border-radius: .3rem; padding: 0 .3rem; }
.time { position: relative; height: .6rem; background: #8882; border-radius: .3rem; }
.time i { position: absolute; height: 100%; min-width: 2px; background: var(--bar); border-radius: .3rem; }
.error > .time i { background: var(--error); }
table { border-collapse: collapse; width: 100%; }
td, th { text-align: left; padding: .2rem .6rem .2rem 0; border-bottom: 1px solid var(--line);
  overflow-wrap: anywhere; }
"""


def trace(shown: Trace, same_session: Sequence[Trace] = ()) -> bytes:
    """The page of one trace; `same_session` are the traces of its session, this one included."""
    root = shown.root or shown.spans[0]
    start, end = min(s.start_ns for s in shown.spans), max(s.end_ns for s in shown.spans)
    known = {span.span_id for span in shown.spans}
    tree = "".join(_branch(shown, s, start, end) for s in shown.spans if s.parent_id not in known)
    about = "".join(
        f"<dt class=dim>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in _about(root)
    )
    others = _table(same_session, current=shown) if len(same_session) > 1 else ""
    session = f"<h2>Session</h2>{others}" if others else ""
    back = "<p><a href=/>All traces</a></p>"
    return _page(
        f"Trace {shown.trace_id}", f"{back}<h1>{escape(root.name)}</h1><dl>{about}</dl>{tree}{session}"
    )


def index(traces: Sequence[Trace]) -> bytes:
    """The page that lists all traces, the newest first."""
    empty = "<p>No trace has arrived yet: send a query to the Function URL.</p>"
    return _page("Traces", f"<h1>Traces</h1>{_table(traces) if traces else empty}")


def missing(trace_id: str) -> bytes:
    """The page of a trace that has not arrived; it loads itself again."""
    refresh = "<meta http-equiv=refresh content=2>"
    text = f"<p>The trace {escape(trace_id)} has not arrived yet.</p><p><a href=/>All traces</a></p>"
    return _page("Trace", refresh + text)


def _page(title: str, body: str) -> bytes:
    head = f"<meta charset=utf-8><meta name=viewport content='width=device-width'><title>{title}</title>"
    return f"<!doctype html><html lang=en>{head}<style>{_STYLE}</style>{body}</html>".encode()


def _table(traces: Iterable[Trace], current: Trace | None = None) -> str:
    rows = "".join(_row(of, current=of is current) for of in reversed(list(traces)))
    return f"<table><tr><th>Time<th>Name<th>Input<th>Output<th>Latency</tr>{rows}</table>"


def _row(of: Trace, *, current: bool) -> str:
    root = of.root or of.spans[0]
    seen = observation(root)
    time = dt.datetime.fromtimestamp(root.start_ns / 1e9, dt.UTC).strftime("%H:%M:%S")
    name = (
        f"<b>{escape(root.name)}</b>" if current else f"<a href=/trace/{of.trace_id}>{escape(root.name)}</a>"
    )
    failed = " class=error" if seen.error else ""
    texts = "".join(f"<td>{escape(_first(messages))}" for messages in (seen.input, seen.output))
    return f"<tr{failed}><td>{time}<td>{name}{texts}<td>{seen.duration_ms:.0f} ms</tr>"


def _first(messages: Sequence[Message]) -> str:
    text = messages[0].text if messages else ""
    return text if len(text) <= 120 else f"{text[:119]}…"


def _about(root: Span) -> Iterator[tuple[str, str]]:
    yield "Trace ID", root.trace_id
    names = {
        "Session": "session.id",
        "User": "user.id",
        "Tags": "langfuse.trace.tags",
        "Release": "langfuse.release",
        "Environment": "langfuse.environment",
    }
    known = {**root.resource, **root.attributes}
    for label, name in names.items():
        if value := known.get(name):
            yield label, ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    for name, value in root.attributes.items():
        if name.startswith("langfuse.trace.metadata."):
            yield name.removeprefix("langfuse.trace.metadata."), str(value)


def _branch(shown: Trace, span: Span, start: int, end: int) -> str:
    """One observation, open if it is the root or has failed, and those below it."""
    seen = observation(span)
    left = 100 * (span.start_ns - start) / max(1, end - start)
    width = 100 * (span.end_ns - span.start_ns) / max(1, end - start)
    bar = f"<span class=time><i style='left:{left:.1f}%;width:{width:.1f}%'></i></span>"
    title = (
        f"<span class=name><span class=type>{seen.type}</span> {escape(seen.name)} {_figures(seen)}</span>"
    )
    failed = " class=error" if seen.error else ""
    texts = f"<p class=error>{escape(seen.error)}</p>" if seen.error else ""
    texts += _section("Input", seen.input) + _section("Output", seen.output)
    opened = " open" if span.parent_id is None or seen.error else ""
    children = "".join(_branch(shown, child, start, end) for child in shown.children(span))
    return f"<details{opened}><summary{failed}>{title}{bar}</summary>{texts}</details>{_nested(children)}"


def _nested(children: str) -> str:
    return f"<div style='margin-left:1.2rem'>{children}</div>" if children else ""


def _figures(seen: Observation) -> str:
    figures = [f"{seen.duration_ms:.0f} ms"]
    if seen.model:
        figures.append(seen.model)
    if seen.input_tokens is not None:
        figures.append(f"{seen.input_tokens} → {seen.output_tokens} tokens")
    return f"<span class=dim>{escape(' · '.join(figures))}</span>"


def _section(label: str, messages: Sequence[Message]) -> str:
    return "".join(
        f"<div class=dim>{label}{f' · {escape(message.role)}' if message.role else ''}</div>"
        f"<pre>{escape(message.text)}</pre>"
        for message in messages
    )
