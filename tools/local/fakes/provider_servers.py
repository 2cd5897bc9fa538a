"""Fake servers of OpenAI's and Anthropic's HTTP APIs on loopback.

Sources of the shapes: https://platform.openai.com/docs/api-reference/chat-streaming and
https://docs.anthropic.com/en/api/messages-streaming.
"""

import json
from collections.abc import Iterator
from typing import Any

from tools.local.http.exchange import HttpExchange
from tools.local.http.server import HttpServer

TEXT = ["The answer ", "is 4."]
STATUS = {"bad_request": 400, "key": 401, "unknown_model": 404, "throttle": 429, "fail": 500}

BODIES = {
    "garbage": (b"\x00garbage{", "application/json"),
    "page": (b"<!doctype html><title>Sign in</title>", "text/html"),
}
"""Bodies that are no response of a model, with their types."""


class FakeProvider(HttpServer):
    """Answers each request with `TEXT`, or with the fault that is set."""

    path = ""
    """Where requests for a response of the model go."""

    def __init__(self) -> None:
        self.fault = ""
        self.requests: list[tuple[str, dict[str, Any]]] = []
        """The key and the body of each request."""
        super().__init__(self._respond)

    def key(self, exchange: HttpExchange) -> str:
        """The key that a request was sent with."""
        raise NotImplementedError

    def events(self) -> Iterator[bytes]:
        """The events of the stream that answers a request."""
        raise NotImplementedError

    def _respond(self, exchange: HttpExchange) -> None:
        body = json.loads(exchange.body())
        self.requests.append((self.key(exchange), body))
        if exchange.path != self.path:
            exchange.answer(404, b"{}")
        elif status := STATUS.get(self.fault):
            error = {"error": {"type": self.fault, "message": f"canary {self.key(exchange)}"}}
            headers = [("retry-after", "7")] if status == 429 else []
            exchange.answer(status, json.dumps(error).encode(), headers=headers)
        elif self.fault == "hang":
            exchange.closing.wait()
            exchange.abort()
        elif self.fault in BODIES:
            exchange.answer(200, *BODIES[self.fault])
        else:
            self._stream(exchange)

    def _stream(self, exchange: HttpExchange) -> None:
        exchange.begin(200, "text/event-stream")
        for number, event in enumerate(self.events()):
            if self.fault == "break" and number == 2:
                return exchange.abort()
            exchange.piece(event)
        return exchange.end()


class FakeOpenAi(FakeProvider):
    """Chat completions."""

    path = "/v1/chat/completions"

    def key(self, exchange: HttpExchange) -> str:
        """The bearer token."""
        return exchange.headers.get("authorization", "").removeprefix("Bearer ")

    def events(self) -> Iterator[bytes]:
        """The text, the reason of its end, and the tokens."""
        for text in TEXT:
            yield self._chunk([{"index": 0, "delta": {"role": "assistant", "content": text}}])
        yield self._chunk([{"index": 0, "delta": {}, "finish_reason": "stop"}])
        usage = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
        yield self._chunk([], usage=usage)
        yield b"data: [DONE]\n\n"

    def _chunk(self, choices: list[Any], **more: Any) -> bytes:
        chunk = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-fake"}
        return f"data: {json.dumps({**chunk, 'choices': choices, **more})}\n\n".encode()


class FakeAnthropic(FakeProvider):
    """Messages."""

    path = "/v1/messages"

    def key(self, exchange: HttpExchange) -> str:
        """The header `x-api-key`."""
        return exchange.headers.get("x-api-key", "")

    def events(self) -> Iterator[bytes]:
        """The text, the reason of its end, and the tokens."""
        message: dict[str, Any] = {
            "id": "m1",
            "type": "message",
            "role": "assistant",
            "model": "claude-fake",
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {"input_tokens": 11, "output_tokens": 1},
        }
        yield self._event("message_start", message=message)
        yield self._event("content_block_start", index=0, content_block={"type": "text", "text": ""})
        for text in TEXT:
            yield self._event("content_block_delta", index=0, delta={"type": "text_delta", "text": text})
        yield self._event("content_block_stop", index=0)
        stop = {"stop_reason": "end_turn", "stop_sequence": None}
        yield self._event("message_delta", delta=stop, usage={"input_tokens": 11, "output_tokens": 7})
        yield self._event("message_stop")

    def _event(self, kind: str, **fields: Any) -> bytes:
        return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()
