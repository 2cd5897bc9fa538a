"""The text of a streamed answer: a client that joins it gets the agent's text once.

Text is sent as the model generates it. But a model call may fail after that and be repeated, and a guardrail
may replace a message when it is complete. Then `reset` is sent, and the text of the complete messages again.
"""

from collections.abc import Callable, Mapping
from typing import Any

from traced_agent.text import join_surrogates, split_high_surrogate


class AnswerText:
    """Sends `text` and `reset` events for what Strands reports of a run."""

    def __init__(self, send: Callable[[str, Mapping[str, Any]], None]) -> None:
        self._send = send
        self._complete = ""
        """The text of the messages that are complete."""
        self._pending = ""
        """The text of the message that is being generated."""
        self._half = ""
        """The first half of a surrogate pair: it is sent with the second."""

    def on_event(self, event: Mapping[str, Any]) -> None:
        """Take one event of an Agent's `callback_handler`."""
        if text := event.get("data"):
            self._add(text)
        elif "event_loop_throttled_delay" in event or "messageStart" in (event.get("event") or ()):
            self._restart()
        elif (message := event.get("message")) and message.get("role") == "assistant":
            self._end(_text_of(message))

    def _add(self, text: str) -> None:
        text, self._half = split_high_surrogate(self._half + text)
        if text := join_surrogates(text):
            self._pending += text
            self._send("text", {"text": text})

    def _restart(self) -> None:
        """A model call begins, or will: what an earlier call sent without completing its message is void."""
        self._half = ""
        if self._pending:
            self._reset("retry", self._complete)

    def _end(self, text: str) -> None:
        """A message is complete; its text may differ from what was sent, as after a guardrail's redaction."""
        if self._half:
            self._add_half()
        if text and not text.startswith(self._pending):
            self._reset("replaced", self._complete + text)
        elif rest := text[len(self._pending) :]:
            self._add(rest)
        self._complete += self._pending
        self._pending = ""

    def _add_half(self) -> None:
        self._half = ""
        self._pending += "?"
        self._send("text", {"text": "?"})

    def _reset(self, reason: str, text: str) -> None:
        self._send("reset", {"reason": reason})
        self._pending = text.removeprefix(self._complete) if reason == "replaced" else ""
        if text:
            self._send("text", {"text": text})


def _text_of(message: Mapping[str, Any]) -> str:
    """The text of a complete message, as its deltas were."""
    parts = []
    for block in message.get("content", ()):
        parts.append(block.get("text", ""))
        parts += [part.get("text", "") for part in block.get("citationsContent", {}).get("content", ())]
    return join_surrogates("".join(parts))
