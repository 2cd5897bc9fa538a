"""A Function URL on loopback: HTTP in, payload format 2.0 to the function, HTTP out."""

import datetime as dt
import email.utils
import itertools
import json

from tools.local.function_url import cors, payload, signature
from tools.local.function_url.payload import INTEGRATION, Malformed, Response
from tools.local.http.server import HttpExchange, HttpServer, TooLarge
from tools.local.runtime.environment_pool import EnvironmentPool, Throttled
from tools.local.runtime.function import Function
from tools.local.runtime.invocation import Invocation
from tools.local.runtime.runtime_api import MAX_RESPONSE

MAX_BODY = 6 * 1024 * 1024
"""Bytes of a request."""

PATIENCE_S = 60.0
"""How long a client may stop in the middle of its request, or keep an idle connection."""

CREDENTIALS = signature.Credentials("000000000000", "local")
"""The only caller that a locked URL knows; its access key is the account, as MiniStack takes it."""


class FunctionUrlServer(HttpServer):
    """The HTTP server in front of a function's environments.

    with EnvironmentPool(function) as environments, FunctionUrlServer(environments) as front:
        httpx.post(front.url, json={"query": "…"})
    """

    def __init__(
        self,
        environments: EnvironmentPool,
        *,
        port: int = 0,
        credentials: signature.Credentials = CREDENTIALS,
        client_timeout_s: float = PATIENCE_S,
    ) -> None:
        """Bind the port.

        Raises:
            OSError: it is taken.
        """
        self._environments = environments
        self._credentials = credentials
        super().__init__(self._respond, port=port, timeout_s=client_timeout_s)
        self.url = f"{self.url}/"

    def _respond(self, exchange: HttpExchange) -> None:
        function = self._environments.function
        origin = exchange.headers.get("origin", "")
        headers = {name.lower(): value for name, value in exchange.headers.items()}
        if function.cors and cors.is_preflight(exchange.command, headers):
            return exchange.answer(200, headers=cors.preflight(function.cors, origin))
        allowed = cors.response(function.cors, origin) if function.cors else {}
        try:
            invocation = self._invoke(exchange, function, headers)
        except TooLarge:
            message = f"Request must be smaller than {MAX_BODY} bytes for the InvokeFunction operation"
            return _refuse(exchange, 413, "RequestTooLargeException", message)
        except signature.Refused as refused:
            return _refuse(exchange, 403, refused.kind, str(refused))
        except Throttled:
            return _refuse(exchange, 429, "TooManyRequestsException", "Rate Exceeded.")
        return _relay(exchange, invocation, allowed, streaming=function.streaming)

    def _invoke(self, exchange: HttpExchange, function: Function, headers: dict[str, str]) -> Invocation:
        body = exchange.body(MAX_BODY)
        caller = ""
        if function.auth == "iam":
            request = signature.Request(exchange.command, exchange.route, exchange.query, headers, body)
            caller = signature.verify(request, self._credentials, function.region, dt.datetime.now(dt.UTC))
        return self._environments.invoke(payload.event(exchange, body, function, self.url, caller))


def _relay(
    exchange: HttpExchange, invocation: Invocation, allowed: dict[str, str], *, streaming: bool
) -> None:
    """Pass the function's answer on: as it comes where the URL streams, whole where it does not."""
    try:
        if streaming:
            return _stream(exchange, invocation, allowed)
        head = _whole(invocation)
        return exchange.answer(head.status, head.body, head.content_type, _headers(head, invocation, allowed))
    except Malformed:
        return exchange.answer(502, b"Internal Server Error", headers=_request_id(invocation))


def _whole(invocation: Invocation) -> Response:
    if invocation.error or len(invocation.payload) > MAX_RESPONSE:
        raise Malformed("no answer")
    if invocation.content_type == INTEGRATION:
        return payload.prelude(iter([invocation.payload]))
    return payload.response(invocation.payload)


def _stream(exchange: HttpExchange, invocation: Invocation, allowed: dict[str, str]) -> None:
    chunks = invocation.chunks()
    if invocation.content_type == INTEGRATION:
        head = payload.prelude(chunks)
    elif (first := next(chunks, None)) is not None:
        head = Response(headers=(("content-type", "application/octet-stream"),), body=first)
    else:
        raise Malformed("no answer")
    exchange.begin(head.status, head.content_type, _headers(head, invocation, allowed))
    try:
        for piece in itertools.chain([head.body], chunks):
            exchange.piece(piece)
    finally:
        for _ in chunks:  # the client may have gone: the function goes on all the same
            continue
    if invocation.error:
        return exchange.abort()
    return exchange.end()


def _headers(head: Response, invocation: Invocation, allowed: dict[str, str]) -> list[tuple[str, str]]:
    own = [(name, value) for name, value in head.headers if name != "content-type" and name not in allowed]
    return [*own, *allowed.items(), *_request_id(invocation)]


def _request_id(invocation: Invocation) -> list[tuple[str, str]]:
    return [("date", email.utils.formatdate(usegmt=True)), ("x-amzn-requestid", invocation.request_id)]


def _refuse(exchange: HttpExchange, status: int, kind: str, message: str) -> None:
    exchange.answer(status, json.dumps({"Message": message}).encode(), headers={"x-amzn-ErrorType": kind})
