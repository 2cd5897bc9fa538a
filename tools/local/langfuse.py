"""A receiver for traces: Langfuse's OTLP endpoint, and plain OTLP over HTTP, on loopback."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self


@dataclass(frozen=True)
class Span:
    """One span, decoded; ids in hex, times in ns since the epoch, JSON attributes left as strings."""

    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
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


@dataclass(frozen=True)
class Trace:
    """The spans of one trace, oldest first."""

    trace_id: str
    spans: tuple[Span, ...]

    @property
    def root(self) -> Span | None:
        """The span without a parent among them."""
        raise NotImplementedError

    def children(self, span: Span) -> tuple[Span, ...]:
        """The spans right below this one, oldest first."""
        raise NotImplementedError


class Langfuse:
    """The server: `with Langfuse() as langfuse: … langfuse.url, langfuse.public_key, langfuse.secret_key`.

    Langfuse's endpoint is `/api/public/otel/v1/traces` and wants the keys; `/v1/traces` is a plain collector.
    """

    url: str
    public_key: str
    secret_key: str
    exports: int
    """How many requests it accepted."""

    def __init__(
        self, *, port: int = 0, public_key: str = "pk-lf-local", secret_key: str = "sk-lf-local"
    ) -> None:
        raise NotImplementedError

    def traces(self) -> list[Trace]:
        """All traces so far, oldest first."""
        raise NotImplementedError

    def wait_for(self, trace_id: str, timeout_s: float = 10.0) -> Trace | None:
        """The trace, once its root span is here; None if it does not come in time."""
        raise NotImplementedError

    def tell(self, fault: str, *, times: int | None = None) -> None:
        """Make the next exports (all, without `times`) fail so: a key of `FAULTS`; `ok` ends it.

        Faults: `unauthorized`, `too_large`, `unavailable`, `html`, `hang`, `drip`, `close`.
        """
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        raise NotImplementedError
