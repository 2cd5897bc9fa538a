"""Lambda's Runtime and Extensions APIs, for one environment.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
The error messages are those of AWS's Runtime Interface Emulator.
"""

import json
import re
import threading
import uuid
from collections.abc import Callable
from typing import Any

from tools.local.http.exchange import HttpExchange, TooLarge, Truncated
from tools.local.http.server import HttpServer
from tools.local.runtime.function import Function
from tools.local.runtime.invocation import FunctionError, Invocation, failure

MAX_RESPONSE = 6 * 1024 * 1024 + 100
"""Bytes of a buffered response, the runtime's envelope included."""

MAX_EXTENSIONS = 10

_INVOCATION = re.compile(r"/2018-06-01/runtime/invocation/([^/]+)/(response|error)")
_RUNTIME = "runtime"


class RuntimeApi:
    """The server from which the runtime and its extensions get their events."""

    def __init__(self, function: Function) -> None:
        self.init_error: FunctionError | None = None
        """The error that the runtime reported for its init."""
        self._function = function
        self._extensions: dict[str, list[str]] = {}
        self._names: set[str] = set()
        self._waiting: dict[str, HttpExchange] = {}
        self._events: dict[str, Invocation] = {}
        self._deadline = 0.0
        self._current: Invocation | None = None
        self._started = self._closed = False
        self._changed = threading.Condition()
        self._server = HttpServer(self._respond)
        self.address = self._server.address

    def start(self) -> None:
        """Serve, until `stop`."""
        self._server.start()

    def stop(self) -> None:
        """End the requests that wait, and close."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._server.stop()

    def deliver(self, invocation: Invocation, deadline: float) -> bool:
        """Hand out an invocation; False if the runtime is not there to take it any more.

        `deadline` is in seconds since the epoch.
        """
        with self._changed:
            if not self.idle or self._waiting[_RUNTIME].client_gone:
                return False
            self._current, self._deadline = invocation, deadline
            for party in [_RUNTIME, *(id_ for id_, events in self._extensions.items() if "INVOKE" in events)]:
                del self._waiting[party]
                self._events[party] = invocation
            self._changed.notify_all()
            return True

    @property
    def idle(self) -> bool:
        """Whether the runtime and every extension wait for the next event."""
        return {_RUNTIME, *self._extensions} <= self._waiting.keys()

    def wait(self, done: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until `done`, which is looked at whenever something happens here, or the time is up."""
        with self._changed:
            return self._changed.wait_for(done, timeout_s)

    def _respond(self, exchange: HttpExchange) -> None:  # noqa: PLR0911 - a table of routes
        route = (exchange.method, exchange.path)
        if route == ("GET", "/2018-06-01/runtime/invocation/next"):
            return self._next_invocation(exchange)
        if exchange.method == "POST" and (match := _INVOCATION.fullmatch(exchange.path)):
            return self._responded(exchange, *match.groups())
        if route == ("POST", "/2018-06-01/runtime/init/error"):
            return self._init_failed(exchange)
        if route == ("GET", "/2018-06-01/runtime/restore/next"):
            return exchange.answer(200)
        if route == ("POST", "/2020-01-01/extension/register"):
            return self._register(exchange)
        if route == ("GET", "/2020-01-01/extension/event/next"):
            return self._next_event(exchange)
        return _refuse(exchange, 404, "NotFound", f"no {exchange.method} {exchange.path}")

    def _next(self, party: str, exchange: HttpExchange) -> Invocation | None:
        """Wait, for as long as it takes, until there is an event for this party."""
        with self._changed:
            self._waiting[party] = exchange
            if party == _RUNTIME:
                self._started, self._current = True, None
            self._changed.notify_all()
            self._changed.wait_for(lambda: party in self._events or self._closed)
            return self._events.pop(party, None)

    def _next_invocation(self, exchange: HttpExchange) -> None:
        if invocation := self._next(_RUNTIME, exchange):
            headers = {
                "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
                "Lambda-Runtime-Deadline-Ms": str(int(self._deadline * 1000)),
                "Lambda-Runtime-Invoked-Function-Arn": self._function.arn,
                "Lambda-Runtime-Trace-Id": invocation.trace_header(sampled=self._function.xray),
            }
            exchange.answer(200, invocation.event, "application/json", headers)
        else:
            exchange.abort()

    def _next_event(self, exchange: HttpExchange) -> None:
        identifier = exchange.headers.get("Lambda-Extension-Identifier", "")
        if not identifier:
            return _refuse(exchange, 403, "Extension.MissingExtensionIdentifier", "Missing identifier")
        if identifier not in self._extensions:
            kind = "Extension.UnknownExtensionIdentifier"
            return _refuse(exchange, 403, kind, f"Unknown extension {identifier}")
        if not (invocation := self._next(identifier, exchange)):
            return exchange.abort()
        event = {
            "eventType": "INVOKE",
            "deadlineMs": int(self._deadline * 1000),
            "requestId": invocation.request_id,
            "invokedFunctionArn": self._function.arn,
            "tracing": {
                "type": "X-Amzn-Trace-Id",
                "value": invocation.trace_header(sampled=self._function.xray),
            },
        }
        headers = {"Lambda-Extension-Identifier": identifier, "Lambda-Extension-Event-Identifier": _id()}
        return exchange.answer(200, json.dumps(event).encode(), headers=headers)

    def _register(self, exchange: HttpExchange) -> None:
        body = exchange.body()
        name = exchange.headers.get("Lambda-Extension-Name", "")
        try:
            events = list(json.loads(body)["events"])
        except (ValueError, KeyError, TypeError) as error:
            return _refuse(exchange, 403, "InvalidRequestFormat", str(error))
        with self._changed:
            if refusal := self._unregistrable(name, events):
                return _refuse(exchange, 403, *refusal)
            identifier = _id()
            self._names.add(name)
            self._extensions[identifier] = events
        about = {
            "functionName": self._function.name,
            "functionVersion": self._function.version,
            "handler": self._function.handler,
        }
        if "accountId" in exchange.headers.get("Lambda-Extension-Accept-Feature", ""):
            about["accountId"] = self._function.account
        headers = {"Lambda-Extension-Identifier": identifier}
        return exchange.answer(200, json.dumps(about).encode(), headers=headers)

    def _unregistrable(self, name: str, events: list[str]) -> tuple[str, str] | None:
        """Only internal extensions are known here: they may not ask for SHUTDOWN."""
        if not name:
            return "Extension.InvalidExtensionName", "Empty extension name"
        for event in events:
            if event != "INVOKE":
                return "Extension.InvalidEventType", f"{event}: event not supported for internal extensions"
        if self._started:
            return "Extension.RegistrationClosed", "Extension registration closed already"
        if name in self._names:
            return "Extension.InvalidExtensionState", "Extension with this name already registered"
        if len(self._names) >= MAX_EXTENSIONS:
            return "Extension.TooManyExtensions", f"Extension limit ({MAX_EXTENSIONS}) reached"
        return None

    def _responded(self, exchange: HttpExchange, request_id: str, what: str) -> None:
        invocation = self._current
        if not invocation or invocation.request_id != request_id or invocation.ended:
            for _ in exchange.pieces():
                continue
            return _refuse(exchange, 400, "InvalidRequestID", "Invalid request ID")
        if what == "error":
            invocation.finish(_function_error(exchange.body()))
        elif exchange.headers.get("Lambda-Runtime-Function-Response-Mode"):
            return self._stream(exchange, invocation)
        else:
            return self._buffered(exchange, invocation)
        return _accepted(exchange)

    def _buffered(self, exchange: HttpExchange, invocation: Invocation) -> None:
        try:
            body = exchange.body(MAX_RESPONSE)
        except TooLarge:
            size = f"Response payload size exceeded maximum allowed payload size ({MAX_RESPONSE} bytes)."
            invocation.finish(failure("Function.ResponseSizeTooLarge", size))
            for _ in exchange.pieces():
                continue
            message = f"Exceeded maximum allowed payload size ({MAX_RESPONSE} bytes)."
            return _refuse(exchange, 413, "RequestEntityTooLarge", message)
        invocation.begin(exchange.headers.get("Content-Type", ""), streamed=False)
        invocation.write(body)
        invocation.finish()
        return _accepted(exchange)

    def _stream(self, exchange: HttpExchange, invocation: Invocation) -> None:
        if exchange.headers["Lambda-Runtime-Function-Response-Mode"] != "streaming":
            invocation.finish(failure("Runtime.InvalidResponseModeHeader", "Invalid response mode"))
            return _refuse(exchange, 400, "InvalidFunctionResponseMode", "Invalid function response mode")
        invocation.begin(exchange.headers.get("Content-Type", ""), streamed=True)
        try:
            for piece in exchange.pieces():
                invocation.write(piece)
        except (Truncated, ConnectionError):
            return invocation.finish(failure("Runtime.TruncatedResponse", "The response broke off"))
        kind = exchange.trailers.get("lambda-runtime-function-error-type")
        message = exchange.trailers.get("lambda-runtime-function-error-body", "")
        invocation.finish(failure(kind, message) if kind else None)
        return _accepted(exchange)

    def _init_failed(self, exchange: HttpExchange) -> None:
        error = _function_error(exchange.body())
        with self._changed:
            self.init_error = error
            self._changed.notify_all()
        _accepted(exchange)


def _accepted(exchange: HttpExchange) -> None:
    exchange.answer(202, b'{"status":"OK"}')


def _refuse(exchange: HttpExchange, status: int, kind: str, message: str) -> None:
    exchange.answer(status, json.dumps({"errorType": kind, "errorMessage": message}).encode())


def _function_error(body: bytes) -> FunctionError:
    try:
        error: Any = json.loads(body)
    except ValueError:
        error = None
    return error if isinstance(error, dict) else failure("Runtime.Unknown", body.decode("utf-8", "replace"))


def _id() -> str:
    return str(uuid.uuid4())
