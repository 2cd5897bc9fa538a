"""Checks that each response of the model is complete, and ends the responses of abandoned runs.

Strands takes a stream that ends without `messageStop` for a complete answer, and a stop reason of `tool_use`
without a toolUse for a call of no tools. It clears the signal of a cancelled agent before the thread that
reads the response has seen it: that thread would read until the model ends.
"""

import functools
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from strands.models import Model


class IncompleteModelResponse(Exception):  # noqa: N818 - names what was received
    """The model's response ended early, or lacks what its stop reason announces; the message says which."""


@dataclass(frozen=True)
class _Signals:
    """Set when one of the signals is."""

    agent: threading.Event | None
    run: threading.Event | None

    def is_set(self) -> bool:
        return any(signal is not None and signal.is_set() for signal in (self.agent, self.run))


def check_responses(model: Model, run_signal: Callable[[], threading.Event | None]) -> None:
    """Make the model raise `IncompleteModelResponse` for each incomplete response; applied once per model.

    Args:
        model: the model; its `stream` is replaced.
        run_signal: returns the signal that ends the model calls of the current run.
    """
    stream = model.stream
    if getattr(stream, "checks_responses", False):
        return

    @functools.wraps(stream)
    async def checked(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        response = _Response()
        cancelled = kwargs["cancel_signal"] = _Signals(kwargs.get("cancel_signal"), run_signal())
        try:
            async for event in stream(*args, **kwargs):
                response.add(event)
                yield event
        except KeyError as error:
            raise IncompleteModelResponse(f"its response broke off without {error}") from error
        if not cancelled.is_set():
            response.check()

    checked.checks_responses = True  # type: ignore[attr-defined]
    model.stream = checked  # type: ignore[method-assign]


class _Response:
    def __init__(self) -> None:
        self._stop_reason: str | None = None
        self._tool_use = False

    def add(self, event: Mapping[str, Any]) -> None:
        """Note what a stream event says."""
        if "messageStop" in event:
            self._stop_reason = event["messageStop"]["stopReason"]
        elif start := event.get("contentBlockStart"):
            self._note_tool((start.get("start") or {}).get("toolUse"))
        elif delta := event.get("contentBlockDelta"):
            self._note_tool((delta.get("delta") or {}).get("toolUse"))

    def _note_tool(self, tool_use: Mapping[str, Any] | None) -> None:
        self._tool_use = self._tool_use or bool(tool_use and tool_use.get("name"))

    def check(self) -> None:
        """Raise an exception if the response is not complete."""
        if not self._stop_reason:
            raise IncompleteModelResponse("its response broke off")
        if self._stop_reason == "tool_use" and not self._tool_use:
            raise IncompleteModelResponse("it stopped to use a tool and named none")
