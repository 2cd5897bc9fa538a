"""Server-sent events: what a streamed answer contains, and when.

`start` is first; `text`, `tool` and `reset` follow as the agent works; `result` or `error` is last. Each has
one JSON object. Format: https://html.spec.whatwg.org/multipage/server-sent-events.html.
"""

import json
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from traced_agent.streaming.answer_text import AnswerText

HEADERS = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-store"}
HEARTBEAT = b": still working\n\n"

RETRY = b"retry: 86400000\n"
"""A day, in ms: readers that reconnect after the end of a stream would start another run of the query."""

_LINE_BREAKS = {ord(mark): f"\\u{ord(mark):04x}" for mark in "\x85\u2028\u2029"}
"""Line breaks to Unicode but not to the format; many clients, such as httpx, split lines as Unicode does."""


def encode_event(event: str, content: str) -> bytes:
    """One event's bytes; `content` is JSON in one line.

    Half a surrogate pair, which UTF-8 cannot encode, is sent as JSON's escape, and so is every character that
    a client could take for the end of a line.
    """
    data = content.translate(_LINE_BREAKS)
    return f"event: {event}\ndata: {data}\n\n".encode("utf-8", "backslashreplace")


LONGEST_OUTPUT = 4_000
"""Characters of a tool's result that an event contains."""


class SseWriter:
    """Writes the events of one answer, from any thread, and a comment after each silence.

    Once closed it writes nothing more, also when an abandoned run continues.
    """

    def __init__(
        self, write: Callable[[bytes], None], *, silence_s: float = 10.0, tool_details: bool = False
    ) -> None:
        self._write = write
        self._tool_details = tool_details
        self._silence_s = silence_s
        self._writing = threading.Lock()
        self._closed = threading.Event()
        self._last_write = time.monotonic()
        self._tools: dict[str, str] = {}
        self._text = AnswerText(self.send)
        threading.Thread(target=self._break_silences, name="heartbeat", daemon=True).start()

    def send(self, event: str, content: Mapping[str, Any]) -> None:
        """Write an event."""
        self._write_if_open(encode_event(event, json.dumps(content, ensure_ascii=False)))

    def close(self, event: str | None = None, content: str = "") -> None:
        """Write the last event, if there is one, and nothing from then on."""
        with self._writing:
            if event and not self._closed.is_set():
                self._write(encode_event(event, content))
            self._closed.set()

    def on_event(self, *, nested_agent: str | None = None, **event: Any) -> None:
        """Send the text and the tools of what Strands reports: an Agent's `callback_handler`.

        Args:
            nested_agent: the name of the agent, if another agent called it: its text is not the answer's.
            event: Strands' event.
        """
        agent = {"agent": nested_agent} if nested_agent else {}
        if not nested_agent:
            self._text.on_event(event)
        elif event.get("data"):
            self.send("agent", {**agent, "text": event["data"]})
        for block in event.get("message", {}).get("content", ()):
            if "toolUse" in block:
                self._tool_started(block["toolUse"], agent)
            elif "toolResult" in block:
                self._tool_ended(block["toolResult"], agent)

    def _tool_started(self, use: Mapping[str, Any], agent: Mapping[str, str]) -> None:
        self._tools[use["toolUseId"]] = use["name"]
        details = {"id": use["toolUseId"], "input": use.get("input")} if self._tool_details else {}
        self.send("tool", {"name": use["name"], "state": "started", **agent, **details})

    def _tool_ended(self, result: Mapping[str, Any], agent: Mapping[str, str]) -> None:
        name = self._tools.pop(result.get("toolUseId", ""), "tool")
        state = "failed" if result.get("status") == "error" else "finished"
        details = {"id": result.get("toolUseId"), "output": _output(result)} if self._tool_details else {}
        self.send("tool", {"name": name, "state": state, **agent, **details})

    def _write_if_open(self, data: bytes) -> None:
        with self._writing:
            if not self._closed.is_set():
                self._write(data)
                self._last_write = time.monotonic()

    def _break_silences(self) -> None:
        while not self._closed.wait(self._silence_left()):
            if self._silence_left() <= 0:
                self._write_if_open(HEARTBEAT)

    def _silence_left(self) -> float:
        return self._last_write + self._silence_s - time.monotonic()


def _output(result: Mapping[str, Any]) -> str:
    """A tool's result as text; blocks that are neither text nor JSON are named."""
    parts = []
    for block in result.get("content") or ():
        for kind, value in block.items():
            if kind == "text":
                parts.append(str(value))
            else:
                parts.append(json.dumps(value, default=str) if kind == "json" else f"[{kind}]")
    text = "\n".join(parts)
    return text if len(text) <= LONGEST_OUTPUT else text[:LONGEST_OUTPUT] + "…"
