"""Traces every run: what was asked, what the agent did, what it answered.

`start` once, `observe` each run, `export` when nobody waits any more.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import boto3

    from traced_agent.settings import Settings


class Observation:
    """The root of one run's trace. Untraced, it takes the same calls and does nothing."""

    def __init__(self, links: Mapping[str, str | None]) -> None:
        self.links = links
        """The answer's four trace fields: langfuse_url, trace_filter, trace_id, trace_url."""

    @property
    def trace_id(self) -> str | None:
        """32 hex digits; None untraced."""
        return self.links["trace_id"]

    def answer(self, output: Mapping[str, Any]) -> None:
        """Put the run's answer, as JSON can hold it, on the trace."""

    def fail(self, code: str, message: str) -> None:
        """Mark the run as failed; what is still open when it ends is marked with the same reason."""


class Tracing:
    """Where spans are made, kept and sent from; one for the life of the process."""

    enabled = False
    """Whether runs are traced at all."""

    @contextmanager
    def observe(
        self,
        *,
        name: str,
        run_id: str,
        query: Mapping[str, Any],
        session_id: str | None = None,
        user_id: str | None = None,
        tags: Sequence[str] = (),
        metadata: Mapping[str, str] | None = None,
        traceparent: str | None = None,
    ) -> Iterator[Observation]:
        """Trace what happens inside as one run, under a root observation with `query` as its input.

        Every span started inside, in this thread or in one with its context copied, carries the session, the
        user, the tags (`run-<run_id>` and `strands-agents` come first) and the metadata: the agent needs no
        `trace_attributes`. An exception that passes through marks the run as failed. When the block is left,
        spans still open (of an abandoned thread, say) enter the trace as they stand. `traceparent`, W3C's
        header, becomes a link.
        """
        yield Observation(self.links(run_id))

    def links(self, run_id: str, trace_id: str | None = None) -> dict[str, str | None]:
        """The answer's four trace fields; all None untraced, or when there is no trace."""
        return dict.fromkeys(("langfuse_url", "trace_filter", "trace_id", "trace_url"))

    def export(self, budget_s: float) -> None:
        """Send what was traced, within `budget_s` seconds whatever the backend does.

        Never raises. What could not be sent is kept and goes with the next export.
        """


def start(settings: "Settings", session: "Callable[[], boto3.Session]") -> Tracing:
    """Make the process ready to trace, without a call on the network.

    Args:
        settings: whether, where to and how much.
        session: asked for the AWS session at the first export that needs a secret.
    """
    return Tracing()
