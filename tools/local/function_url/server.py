"""A Function URL on loopback: HTTP in, payload format 2.0 to the function, HTTP out."""

import datetime as dt
import email.utils
import itertools
import json
from collections.abc import Callable

from botocore.credentials import Credentials

from tools.local.function_url import cors, payload, signature
from tools.local.function_url.payload import INTEGRATION, HttpResponse, Malformed
from tools.local.http.exchange import HttpExchange, TooLarge
from tools.local.http.server import HttpServer
from tools.local.runtime.environment_pool import EnvironmentPool, Throttled
from tools.local.runtime.function import Function
from tools.local.runtime.invocation import Invocation, new_trace_root
from tools.local.runtime.runtime_api import MAX_RESPONSE

MAX_BODY = 6 * 1024 * 1024
"""Bytes of a request."""

CLIENT_TIMEOUT_S = 60.0
"""How long a client may pause in the middle of its request, or keep an idle connection."""

CREDENTIALS = Credentials("000000000000", "local")
"""The only caller that AuthType AWS_IAM accepts here; MiniStack takes the access key for the account."""


Hook = Callable[[], None]
"""Called before each request; it may wait."""


class FunctionUrlServer(HttpServer):
    """The HTTP server in front of a function's environments.

    with EnvironmentPool(function) as pool, FunctionUrlServer(pool) as url_server:
        httpx.post(url_server.url, json={"query": "…"})
    """

    def __init__(
        self,
        pool: EnvironmentPool,
        *,
        port: int = 0,
        credentials: Credentials = CREDENTIALS,
        client_timeout_s: float = CLIENT_TIMEOUT_S,
    ) -> None:
        """Bind the port.

        Raises:
            OSError: it is taken.
        """
        self._pool = pool
        self._credentials = credentials
        self.before_request: Hook = lambda: None
        self.added_headers: dict[str, str] = {}
        """Sent with every response of the function, besides its own headers."""
        super().__init__(self._respond, port=port, timeout_s=client_timeout_s)
        self.url = f"{self.url}/"

    def _respond(self, exchange: HttpExchange) -> None:
        self.before_request()
        function = self._pool.function
        headers = payload.joined_headers(exchange)
        origin = headers.get("origin", "")
        if function.cors and cors.is_preflight(exchange.method, headers):
            return exchange.answer(200, headers=cors.preflight(function.cors, origin))
        added = self.added_headers | (cors.response(function.cors, origin) if function.cors else {})
        try:
            invocation = self._invoke(exchange, function, headers)
        except TooLarge:
            message = f"Request must be smaller than {MAX_BODY} bytes for the InvokeFunction operation"
            return _reject(exchange, 413, "RequestTooLargeException", message)
        except signature.InvalidSignature as error:
            return _reject(exchange, 403, error.kind, str(error))
        except Throttled:
            return _reject(exchange, 429, "TooManyRequestsException", "Rate Exceeded.")
        return _relay(exchange, invocation, added, function)

    def _invoke(self, exchange: HttpExchange, function: Function, headers: dict[str, str]) -> Invocation:
        body = exchange.body(MAX_BODY)
        caller = ""
        if function.auth == "iam":
            request = signature.SignedRequest(exchange.method, exchange.path, exchange.query, headers, body)
            caller = signature.verify(request, self._credentials, function.region, dt.datetime.now(dt.UTC))
        trace_root = new_trace_root(headers.get("x-amzn-trace-id", ""))
        event = payload.event(exchange, body, function, trace_root=trace_root, caller=caller)
        return self._pool.invoke(event, trace_root=trace_root)


def _relay(exchange: HttpExchange, invocation: Invocation, more: dict[str, str], function: Function) -> None:
    """Send the function's response: as it comes if the URL streams, complete if it does not."""
    added = [
        *more.items(),
        ("date", email.utils.formatdate(usegmt=True)),
        ("x-amzn-requestid", invocation.request_id),
        ("x-amzn-trace-id", invocation.trace_header(sampled=function.xray)),
    ]
    try:
        if function.streaming:
            return _stream(exchange, invocation, added)
        response = _buffered(invocation)
        headers = _headers(response, added)
        return exchange.answer(response.status, response.body, response.content_type, headers)
    except Malformed:
        return exchange.answer(502, b"Internal Server Error", headers=added)


def _buffered(invocation: Invocation) -> HttpResponse:
    if invocation.error or len(invocation.payload) > MAX_RESPONSE:
        raise Malformed("no response")
    if invocation.content_type == INTEGRATION:
        return payload.prelude(iter([invocation.payload]))
    return payload.response(invocation.payload)


def _stream(exchange: HttpExchange, invocation: Invocation, added: list[tuple[str, str]]) -> None:
    chunks = invocation.chunks()
    if invocation.content_type == INTEGRATION:
        response = payload.prelude(chunks)
    elif (first := next(chunks, None)) is not None:
        response = HttpResponse(headers=(("content-type", "application/octet-stream"),), body=first)
    else:
        raise Malformed("no response")
    exchange.begin(response.status, response.content_type, _headers(response, added))
    try:
        for piece in itertools.chain([response.body], chunks):
            exchange.piece(piece)
    finally:
        for _ in chunks:  # the client may have gone; the function continues as on Lambda
            continue
    if invocation.error:
        return exchange.abort()
    return exchange.end()


def _headers(response: HttpResponse, added: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The function's own headers, unless Lambda sets them itself, and Lambda's."""
    reserved = {"content-type", *(name for name, _ in added)}
    return [*(pair for pair in response.headers if pair[0] not in reserved), *added]


def _reject(exchange: HttpExchange, status: int, kind: str, message: str) -> None:
    exchange.answer(status, json.dumps({"Message": message}).encode(), headers={"x-amzn-ErrorType": kind})
