"""The root observation of one run: its input, its output, and how it ended."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from opentelemetry.trace import Span, StatusCode

from traced_agent.tracing.spans import RunSpans

TRACE_FIELDS: Final = ("langfuse_url", "trace_filter", "trace_id", "trace_url")

UNTRACED: Final[Mapping[str, str | None]] = dict.fromkeys(TRACE_FIELDS)
"""The trace fields of a response, if there is no trace."""

MAX_PARTIAL_TEXT: Final = 100_000
"""Characters of streamed text that are kept for the trace of a failed run."""

_COMPLETE: Final = ("end_turn", "stop_sequence")


class Observation:
    """The root of one run's trace. Without tracing it accepts the same calls and does nothing."""

    def __init__(self, links: Mapping[str, str | None], root: Span, spans: RunSpans | None = None) -> None:
        self.failed = False
        self._links = links
        self._root = root
        self._spans = spans or RunSpans()
        self._text: list[str] = []
        self._text_length = 0

    @property
    def links(self) -> Mapping[str, str | None]:
        """The trace fields of the response; all None if sampling drops the run (a failed run is kept)."""
        return self._links if self._spans.sampled or self.failed else UNTRACED

    @property
    def trace_id(self) -> str | None:
        """32 hex digits; None without a trace."""
        return self.links["trace_id"]

    def answer(self, output: Mapping[str, Any], *, stop_reason: str = "end_turn") -> None:
        """Record the run's answer, which must be serialisable as JSON.

        A stop reason other than the model's normal end is shown on the trace as a warning.
        """
        self._root.set_attribute("langfuse.observation.output", to_json(output))
        if stop_reason not in _COMPLETE:
            self._root.set_attributes(
                {
                    "langfuse.observation.level": "WARNING",
                    "langfuse.observation.status_message": f"stop_reason: {stop_reason}",
                    "langfuse.trace.metadata.stop_reason": to_json(stop_reason),
                    "traced_agent.stop_reason": stop_reason,
                }
            )

    def fail(self, code: str, message: str) -> None:
        """Mark the run as failed; spans still open when it ends get the same reason."""
        self.failed = True
        reason = f"{code}: {message}"
        output: dict[str, Any] = {"error": {"code": code, "message": message}}
        if self._text:
            output["partial_response"] = "".join(self._text)
        self._root.set_attributes(
            {
                "langfuse.observation.level": "ERROR",
                "langfuse.observation.status_message": reason,
                "langfuse.observation.output": to_json(output),
                "traced_agent.error": code,
            }
        )
        self._root.set_status(StatusCode.ERROR, reason)

    def abandon(self) -> None:
        """Mark the run as abandoned: spans that its thread ends from now on enter the trace as unfinished."""
        self._spans.abandoned = True

    def record_text(self, on_event: Callable[..., Any] | None) -> Callable[..., Any] | None:
        """Wrap the callback of a streamed response: if the run fails, its trace contains the text so far.

        Without a callback the response is not streamed, and nothing is recorded.
        """
        if on_event is None:
            return None

        def record(**event: Any) -> Any:
            text = None if "nested_agent" in event else event.get("data")  # the answer's text only
            if isinstance(text, str) and self._text_length < MAX_PARTIAL_TEXT:
                self._text.append(text)
                self._text_length += len(text)
            return on_event(**event)

        return record


def to_json(value: Any) -> str:
    """JSON for an attribute; values that JSON does not know become strings."""
    return json.dumps(value, default=str)
