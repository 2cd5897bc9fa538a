"""Server-sent events: what a streamed answer says, and when.

`start` opens it, `text` and `tool` follow as the agent works, and one of `result` and `error` closes it. Each
carries one JSON object. Format: https://html.spec.whatwg.org/multipage/server-sent-events.html.
"""

import json
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

HEADERS = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-store"}
HEARTBEAT = b": still working\n\n"

_LINE_BREAKS = {ord(mark): f"\\u{ord(mark):04x}" for mark in "\x85\u2028\u2029"}
"""To Unicode, not to the format: but many readers split lines as Unicode does, httpx among them."""


def encode_event(event: str, content: str) -> bytes:
    """One event on the wire; `content` is JSON in one line.

    Half a surrogate pair, which UTF-8 cannot carry, leaves as JSON's escape for it, and so does what any
    reader could take for the end of a line.
    """
    data = content.translate(_LINE_BREAKS)
    return f"event: {event}\ndata: {data}\n\n".encode("utf-8", "backslashreplace")


LONGEST_OUTPUT = 4_000
"""Characters of a tool's result that an event contains."""


class SseWriter:
    """Writes the events of one answer, from any thread, and a comment when nothing was said for a while.

    Once closed it says nothing more: a run that was abandoned may talk on.
    """

    def __init__(
        self, write: Callable[[bytes], None], *, silence_s: float = 10.0, tool_details: bool = False
    ) -> None:
        self._write = write
        self._tool_details = tool_details
        self._silence_s = silence_s
        self._writing = threading.Lock()
        self._closed = threading.Event()
        self._spoke = time.monotonic()
        self._tools: dict[str, str] = {}
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

    def on_event(self, *, nested_agent: str | None = None, **said: Any) -> None:
        """Pass on the text and the tools in what Strands says: an Agent's `callback_handler`.

        Args:
            nested_agent: the name of the agent, if another agent called it: its text is not the answer's.
            said: Strands' event.
        """
        agent = {"agent": nested_agent} if nested_agent else {}
        if said.get("data"):
            self.send("agent" if nested_agent else "text", {**agent, "text": said["data"]})
        for block in said.get("message", {}).get("content", ()):
            if "toolUse" in block:
                self._tool_started(block["toolUse"], agent)
            elif "toolResult" in block:
                self._tool_ended(block["toolResult"], agent)

    def _tool_started(self, use: Mapping[str, Any], agent: Mapping[str, str]) -> None:
        self._tools[use["toolUseId"]] = use["name"]
        details = {"id": use["toolUseId"], "input": use.get("input")} if self._tool_details else {}
        self.send("tool", {"name": use["name"], "state": "started", **agent, **details})

    def _tool_ended(self, result: Mapping[str, Any], agent: Mapping[str, str]) -> None:
        name = self._tools.pop(result["toolUseId"], "tool")
        state = "failed" if result["status"] == "error" else "finished"
        details = {"id": result["toolUseId"], "output": _output(result)} if self._tool_details else {}
        self.send("tool", {"name": name, "state": state, **agent, **details})

    def _write_if_open(self, data: bytes) -> None:
        with self._writing:
            if not self._closed.is_set():
                self._write(data)
                self._spoke = time.monotonic()

    def _break_silences(self) -> None:
        while not self._closed.wait(self._silence_left()):
            if self._silence_left() <= 0:
                self._write_if_open(HEARTBEAT)

    def _silence_left(self) -> float:
        return self._spoke + self._silence_s - time.monotonic()


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
