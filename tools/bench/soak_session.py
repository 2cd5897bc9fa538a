"""One session of the soak test: its client sends requests in several ways and remembers the interrupts."""

import json
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import httpx

Body = dict[str, Any]

QUERIES: Mapping[str, str] = {
    "question": "Tell me something about {n}.",
    "tool": "What is {n}+{n}?",
    "long answer": "[[say 150]] {n}",
    "tool that stops the agent": "[[tool stopping {{}}]] {n}",
    "interrupt": "[[tool approval {{}}]] {n}",
    "tool: unpaired surrogate": "[[tool half_emoji {{}}]] {n}",
    "tool: no status": "[[tool without_status {{}}]] {n}",
    "tool: exception": "[[tool raising {{}}]] {n}",
    "tool: half a line of output": "[[tool printing {{}}]] {n}",
    "token limit": "[[max_tokens]] {n}",
}
"""The queries, by the kind of request; `n` is a number."""

WAYS = ("buffered", "streamed", "direct", "disconnected")
"""How a request is sent; a disconnected client leaves after the first event of the stream."""

_WEIGHTS = (4, 4, 2, 1)
_SSE = {"accept": "text/event-stream"}
_TIMEOUT_S = 60.0
_BUSY_S = 20.0
"""How long a session may be busy after its last request."""

_WAITING = re.compile(r"with the ids (.+?), or use another")


@dataclass(frozen=True)
class Outcome:
    """What one request got."""

    kind: str
    way: str
    status: int
    result: str
    """The stop reason or the error's code; `left` if the client disconnected."""
    seconds: float
    trace_id: str | None = None
    text_differs: bool = False
    """Whether the joined text of the stream lacks the answer."""
    message: str = ""


@dataclass
class SoakSession:
    """A client with one session; it sends one request at a time."""

    url: str
    invoke: Callable[[bytes], bytes]
    """Invokes the function directly; returns its response."""
    session_id: str
    client: httpx.Client
    random: random.Random
    turns: int = 0
    _waiting: list[str] = field(default_factory=list)

    def send_next(self) -> Outcome:
        """Send a request of a random kind in a random way."""
        self.turns += 1
        way = self.random.choices(WAYS, _WEIGHTS)[0]
        if self._waiting and self.random.random() < 0.8:
            return self._send("resume", self._responses(), way)
        kind = self.random.choice(list(QUERIES))
        return self._send(kind, {"query": QUERIES[kind].format(n=self.random.randrange(1000))}, way)

    def successor(self) -> "SoakSession":
        """The same client with a new session."""
        return replace(self, session_id=f"{self.session_id}+", turns=0, _waiting=[])

    def check(self) -> Outcome:
        """Ask a plain question, after the running request has ended and all interrupts have responses."""
        until = time.monotonic() + _BUSY_S
        while True:
            outcome = self._send("next question", {"query": "Do you still answer?"}, "buffered")
            if self._waiting:
                outcome = self._send("resume", self._responses(), "buffered")
            elif outcome.result != "session_busy":
                return outcome
            if time.monotonic() > until:
                return outcome
            time.sleep(0.2)

    def _responses(self) -> Body:
        return {"interrupt_responses": [{"id": one, "response": "yes"} for one in self._waiting]}

    def _send(self, kind: str, body: Body, way: str) -> Outcome:
        began = time.perf_counter()
        status, answer, text = self._exchange({**body, "session_id": self.session_id}, way)
        seconds = time.perf_counter() - began
        self._note_interrupts(answer)
        error = answer.get("error", {})
        result = error.get("code") or answer.get("stop_reason") or "no answer"
        return Outcome(
            kind,
            way,
            status,
            result,
            seconds,
            answer.get("trace_id"),
            text_differs=text is not None and result == "end_turn" and answer["response"] not in text,
            message=error.get("message", ""),
        )

    def _exchange(self, body: Body, way: str) -> tuple[int, Body, str | None]:
        """The status, the answer or error, and the joined text of a stream."""
        if way == "direct":
            response = _object(self.invoke(json.dumps(body).encode()))
            return response.get("statusCode", 0), _object(response.get("body", "")), None
        if way == "buffered":
            received = self.client.post(self.url, json=body, timeout=_TIMEOUT_S)
            return received.status_code, _object(received.content), None
        return self._stream(body, leave=way == "disconnected")

    def _stream(self, body: Body, *, leave: bool) -> tuple[int, Body, str | None]:
        with self.client.stream("POST", self.url, json=body, headers=_SSE, timeout=_TIMEOUT_S) as response:
            if not response.headers.get("content-type", "").startswith("text/event-stream"):
                return response.status_code, _object(response.read()), None
            text, name, last = "", "", Body()
            for name, last in _events(response.iter_lines()):
                if name == "start" and leave:
                    return 200, {**last, "stop_reason": "left"}, None
                text = {"reset": "", "text": text + last.get("text", "")}.get(name, text)
        return response.status_code, last if name in ("result", "error") else {}, text

    def _note_interrupts(self, answer: Body) -> None:
        if answer.get("stop_reason") == "interrupt":
            self._waiting = [interrupt["id"] for interrupt in answer["interrupts"]]
        elif answer.get("success"):
            self._waiting = []
        elif answer.get("error", {}).get("field") == "interrupt_responses":
            waiting = _WAITING.search(answer["error"]["message"])
            self._waiting = waiting[1].split(", ") if waiting else []


def _object(content: bytes | str) -> Body:
    """The JSON object; empty for other content, as when Lambda itself answers."""
    try:
        found = json.loads(content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _events(lines: Iterator[str]) -> Iterator[tuple[str, Body]]:
    name = ""
    for line in lines:
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))
