"""A received trace, as a tree of spans."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Span:
    """One span, decoded; ids in hex, times in ns since the epoch, JSON attributes left as strings."""

    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
    scope: str
    start_ns: int
    end_ns: int
    attributes: Mapping[str, Any]
    resource: Mapping[str, Any]
    status: str
    """`unset`, `ok` or `error`."""
    message: str
    """The status's description."""
    events: tuple[Mapping[str, Any], ...]
    """Each with `name`, `time_ns` and `attributes`."""
    links: tuple[str, ...] = ()
    """The trace ids that it is linked to."""


@dataclass(frozen=True)
class Trace:
    """The spans of one trace, oldest first."""

    trace_id: str
    spans: tuple[Span, ...]

    @property
    def root(self) -> Span | None:
        """The span without a parent, once it has arrived."""
        return next((span for span in self.spans if span.parent_id is None), None)

    @property
    def session(self) -> str | None:
        """The session that it belongs to, if it has one."""
        return next(
            (str(span.attributes["session.id"]) for span in self.spans if "session.id" in span.attributes),
            None,
        )

    def children(self, span: Span) -> tuple[Span, ...]:
        """The spans right below this one, oldest first."""
        return tuple(child for child in self.spans if child.parent_id == span.span_id)

    def named(self, name: str) -> tuple[Span, ...]:
        """The spans of this name, oldest first."""
        return tuple(span for span in self.spans if span.name == name)
