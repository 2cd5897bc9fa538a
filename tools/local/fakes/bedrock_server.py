"""A fake of bedrock-runtime: Converse and ConverseStream, answered deterministically.

Point boto3 at it with AWS_ENDPOINT_URL_BEDROCK_RUNTIME.

Faults are injected from Python (`bedrock.inject_fault("throttle", times=2)`) or by a directive in the prompt
(`[[throttle]]`, or `[[throttle 2]]` for the first two calls with that prompt only).
"""

import json
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import unquote

from tools.local.fakes import converse_rules, event_stream, fake_model
from tools.local.fakes.bedrock_faults import BROKEN_STREAMS, FAULTS, FAULTY_REPLIES, REFUSALS
from tools.local.fakes.faults import FaultInjector
from tools.local.http.exchange import HttpExchange
from tools.local.http.server import HttpServer

KEPT = 1000
"""Requests that are kept: the oldest go, so that hours of use need no more memory."""

_PATH = re.compile(r"/model/([^/]+)/(converse|converse-stream)")
_DELTA = re.compile(r"[\ud800-\udfff]|[^\s\ud800-\udfff]+\s*|\s+")
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
        self.rejected: Counter[str] = Counter()
        """The conversations that break Converse's rules, by the message of their rejection."""
        self.injected: Counter[str] = Counter()
        """How often each fault was injected; `ok` counts the other calls."""
        self._faults = FaultInjector(FAULTS)
        self._counting = threading.Lock()
        self._seen: Counter[str] = Counter()
        self._prefixes: set[str] = set()
        super().__init__(self._respond, port=port)

    def inject_fault(self, fault: str, *, times: int | None = None) -> None:
        """Make the next calls (all, without `times`) fail so: a key of `FAULTS`; `ok` ends it."""
        self._faults.inject(fault, times=times)

    def inject_share(self, faults: Sequence[str], share: float) -> None:
        """Make this share of the calls fail, with each fault equally often; `inject_fault("ok")` ends it."""
        self._faults.inject_share(faults, share)

    def _respond(self, exchange: HttpExchange) -> None:
        path = _PATH.fullmatch(exchange.path)
        if not path:
            return _refuse(exchange, 404, "UnknownOperationException", "Only Converse and ConverseStream.")
        request = json.loads(exchange.body())
        self.requests.append({"modelId": unquote(path[1]), **request})
        del self.requests[:-KEPT]
        if rejected := converse_rules.violation(request):
            self._count(self.rejected, rejected)
            return _refuse(exchange, 400, "ValidationException", rejected)
        fault = self.model_faults.get(unquote(path[1])) or self._fault(fake_model.question(request))
        self._count(self.injected, fault)
        if fault in REFUSALS:
            return _refuse(exchange, *REFUSALS[fault])
        if fault == "hang":
            exchange.closing.wait()
        elif path[2] == "converse":
            self._converse(exchange, request, fault)
        else:
            self._stream(exchange, request, fault)
        return None

    def _count(self, counter: Counter[str], name: str) -> None:
        with self._counting:
            counter[name] += 1

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
        if fault in BROKEN_STREAMS:
            status, kind, message = BROKEN_STREAMS[fault]
            return _refuse(exchange, status, kind[0].upper() + kind[1:], message)
        if fault in ("cut", "drip"):
            exchange.begin(200, "application/json")
            while fault == "drip" and not exchange.closing.wait(1):
                exchange.piece(b" ")
            return exchange.abort()
        reply = self._faulty_reply(request, fault)
        body = {
            "output": {"message": {"role": "assistant", "content": _content(reply)}},
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
        if fault in ("cut", *BROKEN_STREAMS):
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
        if fault in BROKEN_STREAMS:
            exchange.piece(event_stream.exception(*BROKEN_STREAMS[fault][1:]))
        return exchange.end()

    def _faulty_reply(self, request: fake_model.Request, fault: str) -> fake_model.Reply:
        faulty = FAULTY_REPLIES[fault](request) if fault in FAULTY_REPLIES else None
        return faulty or self._reply(request)


def _refuse(exchange: HttpExchange, status: int, kind: str, message: str) -> None:
    exchange.answer(status, json.dumps({"message": message}).encode(), headers={"x-amzn-ErrorType": kind})


def _content(reply: fake_model.Reply) -> list[dict[str, Any]]:
    text: list[dict[str, Any]] = [{"text": reply.text}] if reply.text else []
    uses = ({"toolUseId": tool.id, "name": tool.name, "input": tool.input} for tool in reply.tools)
    return [*text, *({"toolUse": use} for use in uses)]


def _deltas(text: str) -> list[str]:
    """One for each word; the halves of a surrogate pair are separate, as models sometimes send them."""
    return _DELTA.findall(text)


def _frames(reply: fake_model.Reply) -> Iterator[bytes]:
    yield event_stream.event("messageStart", {"role": "assistant"})
    for word in _deltas(reply.text):
        yield _delta(0, {"text": word})
    if reply.text:
        yield event_stream.event("contentBlockStop", {"contentBlockIndex": 0})
    for index, tool in enumerate(reply.tools, start=1):
        start = {"toolUse": {"toolUseId": tool.id, "name": tool.name}}
        yield event_stream.event("contentBlockStart", {"contentBlockIndex": index, "start": start})
        yield _delta(index, {"toolUse": {"input": tool.arguments}})
        yield event_stream.event("contentBlockStop", {"contentBlockIndex": index})
    yield event_stream.event("messageStop", {"stopReason": reply.stop_reason})
    yield event_stream.event("metadata", {"usage": reply.usage, "metrics": {"latencyMs": 1}})


def _delta(index: int, delta: dict[str, Any]) -> bytes:
    return event_stream.event("contentBlockDelta", {"contentBlockIndex": index, "delta": delta})


def _drip(exchange: HttpExchange) -> None:
    exchange.piece(event_stream.event("messageStart", {"role": "assistant"}))
    while not exchange.closing.wait(1):
        exchange.piece(_delta(0, {"text": "drip "}))
