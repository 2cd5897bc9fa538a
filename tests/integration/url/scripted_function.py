"""Serves the page and answers its requests from a script: no agent, no layers."""

import contextlib
import http.server
import json
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from traced_agent.http import page
from traced_agent.http.function_url import Response
from traced_agent.settings import Settings

TRACE_ID = "5f0c9b1e0d4a4c4f9a55b3c04f3a9c11"
Step: TypeAlias = tuple[str, dict[str, Any]] | threading.Event
"""An event of the stream, or a point at which the stream waits."""


@dataclass
class ScriptedAnswer:
    """A response: the steps of a stream, or one JSON object with a status."""

    steps: Sequence[Step] = ()
    status: int = 200
    body: dict[str, Any] | None = None
    headers: dict[str, str] = field(default_factory=dict)


def result(response: str, **more: Any) -> tuple[str, dict[str, Any]]:
    """The last event of an answer."""
    return "result", success(response, **more)


def success(response: str, **more: Any) -> dict[str, Any]:
    usage = {"inputTokens": 1211, "outputTokens": 97, "totalTokens": 1308}
    links = {"trace_id": TRACE_ID, "trace_url": f"https://langfuse.example/project/p/traces/{TRACE_ID}"}
    answer = {"success": True, "run_id": "3c9dfb1d", "response": response, "stop_reason": "end_turn"}
    return {**answer, "usage": usage, **links, **more}


def text(response: str) -> ScriptedAnswer:
    """A streamed answer that is all text."""
    return ScriptedAnswer([("text", {"text": response}), result(response)])


def error(status: int, code: str, message: str) -> ScriptedAnswer:
    envelope = {"success": False, "run_id": "3c9dfb1d", "error": {"code": code, "message": message}}
    return ScriptedAnswer(status=status, body=envelope)


class ScriptedFunction:
    """The page's server; `answers` are given in order, and `requests` are what the page sent."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.answers: deque[ScriptedAnswer] = deque()
        self.requests: list[dict[str, Any]] = []
        self.feedback: list[dict[str, Any]] = []
        self.feedback_status = 202


class _Requests(http.server.BaseHTTPRequestHandler):
    """Gives the page to GET, and the next scripted answer to POST."""

    server: "_Server"

    def do_GET(self) -> None:
        self._send(200, self.server.page.body.encode(), self.server.page.headers)

    def do_POST(self) -> None:
        function = self.server.function
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path == "/feedback":
            function.feedback.append(body)
            self._send(function.feedback_status, b"{}", {"content-type": "application/json"})
            return
        function.requests.append(body)
        answer = function.answers.popleft()
        if answer.body is None:
            self._stream(answer)
        else:
            content = json.dumps(answer.body).encode()
            self._send(answer.status, content, {"content-type": "application/json", **answer.headers})

    def _send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self._start(status, {**headers, "content-length": str(len(body))})
        self.wfile.write(body)

    def _stream(self, answer: ScriptedAnswer) -> None:
        self._start(answer.status, {"content-type": "text/event-stream", **answer.headers})
        with contextlib.suppress(ConnectionError):
            for step in answer.steps:
                if isinstance(step, threading.Event):
                    step.wait(20)
                else:
                    self.wfile.write(f"event: {step[0]}\ndata: {json.dumps(step[1])}\n\n".encode())

    def _start(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class _Server(http.server.ThreadingHTTPServer):
    def __init__(self, shown: Response) -> None:
        super().__init__(("127.0.0.1", 0), _Requests)
        self.page = shown
        self.function = ScriptedFunction(f"http://127.0.0.1:{self.server_port}/")


@contextlib.contextmanager
def serve_script(**config: Any) -> Iterator[ScriptedFunction]:
    """Serve the page; `config` is passed to `page.response`."""
    settings = Settings(bedrock_model_id="a-model", session_bucket="a-bucket")
    with _Server(page.response(settings, **config)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.function
        server.shutdown()


def answered(tab: Any, scripted: ScriptedFunction, *answers: ScriptedAnswer) -> Any:
    """The tab after it has asked a question for each of the answers."""
    scripted.answers.extend(answers)
    tab.open(scripted.url)
    for count in range(len(answers)):
        tab.ask("A question")
        tab.wait_for_answer(count + 1)
    return tab
