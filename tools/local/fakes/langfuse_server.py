"""A receiver for traces: Langfuse's OTLP endpoint, and plain OTLP over HTTP, on loopback."""

import base64
import hmac
import json
import re
import ssl
import threading
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from tools.local.fakes import langfuse_view
from tools.local.fakes.faults import FaultInjector
from tools.local.fakes.langfuse_records import PROJECT_ID, LangfuseRecords
from tools.local.http.exchange import HttpExchange
from tools.local.http.server import HttpServer
from tools.local.traces import trace_page
from tools.local.traces.otlp import decode
from tools.local.traces.received_trace import Span, Trace

FAULTS = {
    "unauthorized": "401, as with wrong keys",
    "too_large": "413",
    "unavailable": "503",
    "internal": "500",
    "html": "200 with a page, as a login wall answers",
    "hang": "no byte at all",
    "drip": "a 200 whose body comes a byte every 0.2 s, without end",
    "close": "the connection closes without an answer",
}
"""The faults that can be injected, with their effects."""

KEPT = 2000
"""Exports that are kept: the oldest go, so that hours of use need no more memory."""

_STATUS = {"unauthorized": 401, "too_large": 413, "unavailable": 503, "internal": 500}
_ENDPOINTS = ("/api/public/otel/v1/traces", "/v1/traces")
_TRACE_PAGE = re.compile(rf"/(?:project/{PROJECT_ID}/traces|trace)/(\w+)")
_HTML = "text/html; charset=utf-8"


@dataclass(frozen=True)
class Export:
    """One accepted export."""

    path: str
    headers: Mapping[str, str]
    spans: tuple[Span, ...]


class FakeLangfuse(HttpServer):
    """The server: `with FakeLangfuse() as langfuse`, then `langfuse.url`, `.public_key`, `.secret_key`.

    Langfuse's endpoint is `/api/public/otel/v1/traces` and wants the keys; `/v1/traces` is a plain collector.
    """

    def __init__(  # noqa: PLR0913 - independent settings, by keyword
        self,
        *,
        port: int = 0,
        public_key: str = "pk-lf-local",
        secret_key: str = "sk-lf-local",  # noqa: S107 - opens nothing
        response_delay_s: float = 0.0,
        faults: FaultInjector | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`response_delay_s`: before each response; `faults`: of the next exports; `tls`: to serve HTTPS."""
        self._pause_s = response_delay_s
        self.public_key, self.secret_key = public_key, secret_key
        self.exports: list[Export] = []
        """What it accepted, oldest first."""
        self.attempts = 0
        """How many exports were tried, accepted or not."""
        self.events_only = False
        """Whether `/trace/<id>` opens nothing, as on a v4 server in its default mode."""
        self.records = LangfuseRecords()
        """Its prompts, scores and data sets."""
        self.api_requests: list[tuple[str, str, bytes]] = []
        """Method, path and body of each request to the API, exports excluded."""
        self.api_faults = FaultInjector(FAULTS)
        """The faults of the API; exports have their own."""
        self._faults = faults or FaultInjector(FAULTS)
        self._news = threading.Condition(threading.RLock())
        super().__init__(self._respond, port=port, tls=tls)

    def inject_fault(self, fault: str, *, times: int | None = None) -> None:
        """Make the next exports (all, without `times`) fail so: a key of `FAULTS`; `ok` ends it."""
        self._faults.inject(fault, times=times)

    def traces(self) -> list[Trace]:
        """All traces so far, oldest first; a span that was sent twice is in it twice."""
        spans: dict[str, list[Span]] = {}
        with self._news:
            for export in self.exports:
                for span in export.spans:
                    spans.setdefault(span.trace_id, []).append(span)
        return [_trace(trace_id, of) for trace_id, of in spans.items()]

    def trace(self, trace_id: str) -> Trace | None:
        """This trace, if anything of it is here."""
        with self._news:
            spans = [span for export in self.exports for span in export.spans if span.trace_id == trace_id]
        return _trace(trace_id, spans) if spans else None

    def wait_for(self, trace_id: str, timeout_s: float = 10.0) -> Trace | None:
        """The trace, once its root span is here; None if it does not come in time."""

        def arrived() -> bool:
            trace = self.trace(trace_id)
            return trace is not None and trace.root is not None

        with self._news:
            return self.trace(trace_id) if self._news.wait_for(arrived, timeout_s) else None

    def _respond(self, exchange: HttpExchange) -> None:
        if exchange.method == "POST" and exchange.path in _ENDPOINTS:
            return self._receive(exchange)
        if exchange.method == "GET" and exchange.path == "/api/public/health":
            return exchange.answer(
                200, json.dumps({"status": "OK", "version": self.records.version}).encode()
            )
        if exchange.path.startswith("/api/public/"):
            return self._answer_api(exchange)
        return self._answer_page(exchange)

    def _answer_page(self, exchange: HttpExchange) -> None:
        if exchange.method == "GET" and exchange.path == "/":
            return exchange.answer(200, trace_page.index(self.traces()), _HTML)
        if exchange.method == "GET" and (page := _TRACE_PAGE.fullmatch(exchange.path)):
            if self.events_only and exchange.path.startswith("/trace/"):
                return _say(exchange, 404, "Trace not found")
            return self._show(exchange, page[1])
        return _say(exchange, 404, "Not found")

    def _answer_api(self, exchange: HttpExchange) -> None:
        body = exchange.body()
        self.api_requests.append((exchange.method, exchange.path, body))
        fault = self.api_faults.next_fault()
        if fault != "ok":
            return _fail(exchange, fault)
        if not self._authorized(exchange):
            return _say(exchange, 401, "Invalid credentials")
        if exchange.method == "GET" and exchange.path.startswith("/api/public/traces/"):
            trace = self.trace(exchange.path.rpartition("/")[2])
            answer = (
                (200, langfuse_view.trace_view(trace)) if trace else (404, {"message": "Trace not found"})
            )
        else:
            query = dict(parse_qsl(exchange.query))
            answer = self.records.answer(exchange.method, exchange.path, query, body) or (404, {})
        return exchange.answer(answer[0], json.dumps(answer[1]).encode())

    def _show(self, exchange: HttpExchange, trace_id: str) -> None:
        if not (trace := self.trace(trace_id)):
            return exchange.answer(404, trace_page.missing(trace_id), _HTML)
        session = trace.session
        same = [other for other in self.traces() if session and other.session == session]
        return exchange.answer(200, trace_page.trace(trace, same), _HTML)

    def _receive(self, exchange: HttpExchange) -> None:
        body = exchange.body()
        self.attempts += 1
        time.sleep(self._pause_s)
        fault = self._faults.next_fault()
        if fault != "ok":
            return _fail(exchange, fault)
        if exchange.path == _ENDPOINTS[0] and not self._authorized(exchange):
            return _say(
                exchange, 401, "Invalid credentials. Confirm that you've configured the correct host."
            )
        try:
            spans = tuple(decode(body, exchange.headers.get("content-encoding", "")))
        except (DecodeError, OSError, EOFError, zlib.error):
            return _say(exchange, 400, "Failed to parse OTLP protobuf")
        self._keep(exchange, spans)
        return exchange.answer(200, b"", "application/x-protobuf")

    def _keep(self, exchange: HttpExchange, spans: tuple[Span, ...]) -> None:
        headers = {name.lower(): value for name, value in exchange.headers.items()}
        with self._news:
            self.exports.append(Export(exchange.path, headers, spans))
            del self.exports[:-KEPT]
            self._news.notify_all()

    def _authorized(self, exchange: HttpExchange) -> bool:
        expected = base64.b64encode(f"{self.public_key}:{self.secret_key}".encode()).decode()
        return hmac.compare_digest(exchange.headers.get("authorization", ""), f"Basic {expected}")


def _trace(trace_id: str, spans: list[Span]) -> Trace:
    return Trace(trace_id, tuple(sorted(spans, key=lambda span: span.start_ns)))


def _say(exchange: HttpExchange, status: int, message: str) -> None:
    exchange.answer(status, json.dumps({"message": message}).encode())


def _fail(exchange: HttpExchange, fault: str) -> None:
    if fault in _STATUS:
        return _say(exchange, _STATUS[fault], FAULTS[fault])
    if fault == "html":
        return exchange.answer(200, b"<!doctype html><title>Sign in</title>", "text/html")
    if fault == "drip":
        exchange.begin(200, "application/x-protobuf")
        while not exchange.closing.wait(0.2):
            exchange.piece(b"\x00")
    if fault == "hang":
        exchange.closing.wait()
    return exchange.abort()
