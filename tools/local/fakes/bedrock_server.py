"""A fake of bedrock-runtime: Converse and ConverseStream, answered deterministically.

Point boto3 at it with AWS_ENDPOINT_URL_BEDROCK_RUNTIME.

Faults are injected from Python (`bedrock.inject_fault("throttle", times=2)`) or by a directive in the prompt
(`[[throttle]]`, or `[[throttle 2]]` for the first two calls with that prompt only).
"""

import json
import re
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from tools.local.fakes import converse_rules, event_stream, fake_model
from tools.local.fakes.faults import FaultInjector
from tools.local.http.exchange import HttpExchange
from tools.local.http.server import HttpServer

REFUSALS = {
    "throttle": (429, "ThrottlingException", "Too many requests, please wait before trying again."),
    "deny": (403, "AccessDeniedException", "You don't have access to the model with the specified model ID."),
    "expired": (403, "ExpiredTokenException", "The security token included in the request is expired"),
    "wrong_keys": (
        403,
        "UnrecognizedClientException",
        "The security token included in the request is invalid.",
    ),
    "invalid": (400, "ValidationException", "The provided model identifier is invalid."),
    "too_long": (400, "ValidationException", "Input is too long for requested model."),
    "not_found": (404, "ResourceNotFoundException", "Could not resolve the foundation model."),
    "not_ready": (429, "ModelNotReadyException", "The model is not ready for inference."),
    "internal": (500, "InternalServerException", "The server encountered an internal error."),
    "unavailable": (503, "ServiceUnavailableException", "Bedrock is unable to process your request."),
}
"""Answers in the service's own words: status, type, message."""

FAULTS = {
    **{fault: f"{status} {kind}: {message}" for fault, (status, kind, message) in REFUSALS.items()},
    "break": "half the answer, then the stream ends with modelStreamErrorException",
    "cut": "half the answer, then the connection closes",
    "garbage": "200 with bytes that are neither JSON nor an event stream",
    "empty": "200 with a message that has no content",
    "truncate": "the whole text, then a clean end without messageStop or stopReason",
    "throttle_late": "half the answer, then the stream ends with throttlingException",
    "no_tool": "an answer with the stop reason tool_use, but without a tool use",
    "drip": "one word a second, without end",
    "hang": "no byte at all",
}
"""The faults that can be injected, with their effects."""

_LAST_FRAMES = {
    "break": ("modelStreamErrorException", "The model broke off."),
    "throttle_late": ("throttlingException", REFUSALS["throttle"][2]),
}
"""The exceptions that end a stream in its middle."""

KEPT = 1000
"""Requests that are kept: the oldest go, so that hours of use need no more memory."""

_PATH = re.compile(r"/model/([^/]+)/(converse|converse-stream)")
_DIRECTIVE = re.compile(r"\[\[(\w+)(?: (\d+))?\]\]")


class FakeBedrock(HttpServer):
    """The server: `with FakeBedrock() as bedrock: … bedrock.url`."""

    def __init__(self, *, port: int = 0, word_interval_s: float = 0.0) -> None:
        """`word_interval_s`: the seconds between two words of a stream."""
        self.word_interval_s = word_interval_s
        self.requests: list[dict[str, Any]] = []
        """Every request's decoded body, oldest first, with the model id under `modelId`."""
        self.first_word_at = 0.0
        """When the last stream's first word left, by `time.perf_counter`."""
        self.model_faults: dict[str, str] = {}
        """The fault of every call of a model, by the model's id: a key of `FAULTS`."""
        self._faults = FaultInjector(FAULTS)
        self._seen: Counter[str] = Counter()
        self._prefixes: set[str] = set()
        super().__init__(self._respond, port=port)

    def inject_fault(self, fault: str, *, times: int | None = None) -> None:
        """Make the next calls (all, without `times`) fail so: a key of `FAULTS`; `ok` ends it."""
        self._faults.inject(fault, times=times)

    def _respond(self, exchange: HttpExchange) -> None:
        path = _PATH.fullmatch(exchange.path)
        if not path:
            return _refuse(exchange, 404, "UnknownOperationException", "Only Converse and ConverseStream.")
        request = json.loads(exchange.body())
        self.requests.append({"modelId": unquote(path[1]), **request})
        del self.requests[:-KEPT]
        if rejected := converse_rules.violation(request):
            return _refuse(exchange, 400, "ValidationException", rejected)
        fault = self.model_faults.get(unquote(path[1])) or self._fault(fake_model.question(request))
        if fault in REFUSALS:
            return _refuse(exchange, *REFUSALS[fault])
        if fault == "hang":
            exchange.closing.wait()
        elif path[2] == "converse":
            self._converse(exchange, request, fault)
        else:
            self._stream(exchange, request, fault)
        return None

    def _reply(self, request: fake_model.Request) -> fake_model.Reply:
        """The model's turn, whose prompt is read from the cache if a call had the same cached beginning."""
        reply, prefix = fake_model.reply(request), fake_model.cached_prefix(request)
        if not prefix:
            return reply
        known = prefix in self._prefixes
        self._prefixes.add(prefix)
        return fake_model.with_cache(reply, prefix, known=known)

    def _fault(self, query: str) -> str:
        for name, count in _DIRECTIVE.findall(query):
            if name in FAULTS:
                self._seen[query] += 1
                return "ok" if count and self._seen[query] > int(count) else str(name)
        return self._faults.next_fault()

    def _converse(self, exchange: HttpExchange, request: fake_model.Request, fault: str) -> None:
        if fault == "garbage":
            return exchange.answer(200, b"\x00garbage{", "application/json")
        if fault == "break":
            return _refuse(exchange, 424, "ModelErrorException", "The model broke off.")
        if fault in ("cut", "drip"):
            exchange.begin(200, "application/json")
            while fault == "drip" and not exchange.closing.wait(1):
                exchange.piece(b" ")
            return exchange.abort()
        if fault == "throttle_late":
            return _refuse(exchange, *REFUSALS["throttle"])
        reply = self._faulty_reply(request, fault)
        message = {"role": "assistant", "content": _content(reply)}
        body = {
            "output": {"message": message},
            **({} if fault == "truncate" else {"stopReason": reply.stop_reason}),
            "usage": reply.usage,
            "metrics": {"latencyMs": 1},
        }
        return exchange.answer(200, json.dumps(body).encode())

    def _stream(self, exchange: HttpExchange, request: fake_model.Request, fault: str) -> None:
        exchange.begin(200, event_stream.CONTENT_TYPE)
        if fault == "garbage":
            exchange.piece(b"\x00\x00\x00\x20garbage, and no event stream of any kind")
            return exchange.end()
        reply = self._faulty_reply(request, fault)
        frames = list(_frames(reply))
        if fault == "drip":
            return _drip(exchange)
        if fault in ("cut", *_LAST_FRAMES):
            frames = frames[: max(2, len(frames) // 2)]
        elif fault == "truncate":
            frames = frames[:-2]
        for number, frame in enumerate(frames):
            if number == 1:
                self.first_word_at = time.perf_counter()
            exchange.piece(frame)
            if self.word_interval_s:
                time.sleep(self.word_interval_s)
        if fault == "cut":
            return exchange.abort()
        if fault in _LAST_FRAMES:
            exchange.piece(event_stream.exception(*_LAST_FRAMES[fault]))
        return exchange.end()

    def _faulty_reply(self, request: fake_model.Request, fault: str) -> fake_model.Reply:
        if fault == "empty":
            return fake_model.Reply("")
        if fault == "no_tool":
            return fake_model.Reply("Let me see.", stop_reason="tool_use")
        return self._reply(request)


def _refuse(exchange: HttpExchange, status: int, kind: str, message: str) -> None:
    exchange.answer(status, json.dumps({"message": message}).encode(), headers={"x-amzn-ErrorType": kind})


def _content(reply: fake_model.Reply) -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = [{"text": reply.text}] if reply.text else []
    if tool := reply.tool:
        content.append({"toolUse": {"toolUseId": tool.id, "name": tool.name, "input": tool.input}})
    return content


def _words(text: str) -> list[str]:
    return re.findall(r"\S+\s*", text)


def _frames(reply: fake_model.Reply) -> Iterator[bytes]:
    yield event_stream.event("messageStart", {"role": "assistant"})
    for word in _words(reply.text):
        yield _delta(0, {"text": word})
    if reply.text:
        yield event_stream.event("contentBlockStop", {"contentBlockIndex": 0})
    if tool := reply.tool:
        start = {"toolUse": {"toolUseId": tool.id, "name": tool.name}}
        yield event_stream.event("contentBlockStart", {"contentBlockIndex": 1, "start": start})
        yield _delta(1, {"toolUse": {"input": json.dumps(tool.input)}})
        yield event_stream.event("contentBlockStop", {"contentBlockIndex": 1})
    yield event_stream.event("messageStop", {"stopReason": reply.stop_reason})
    yield event_stream.event("metadata", {"usage": reply.usage, "metrics": {"latencyMs": 1}})


def _delta(index: int, delta: dict[str, Any]) -> bytes:
    return event_stream.event("contentBlockDelta", {"contentBlockIndex": index, "delta": delta})


def _drip(exchange: HttpExchange) -> None:
    exchange.piece(event_stream.event("messageStart", {"role": "assistant"}))
    while not exchange.closing.wait(1):
        exchange.piece(_delta(0, {"text": "drip "}))
