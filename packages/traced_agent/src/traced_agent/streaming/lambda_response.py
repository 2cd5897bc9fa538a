"""Answers that leave while they are made: Lambda's streaming response, from the plain Python function.

AWS's Python runtime client posts an answer once the handler has returned. The Runtime API itself takes it in
chunks, from whoever posts it; so here the function posts for its own request, and what the runtime client
would have posted for that request is dropped. On the day AWS streams Python's answers, delete this module.

Sources: the chunked post and its error trailers,
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html#runtimes-custom-response-streaming;
the layout of an HTTP answer in it (metadata, eight NUL bytes, body),
https://docs.aws.amazon.com/apigateway/latest/developerguide/response-transfer-mode-lambda.html.
"""

import base64
import functools
import http.client
import inspect
import json
import logging
import sys
import time
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, Self

HTTP_RESPONSE = "application/vnd.awslambda.http-integration-response"
"""The content type under which Lambda reads a status and headers off the front of a stream."""

_SEPARATOR = bytes(8)
_POSTS = ("post_invocation_result", "post_invocation_error")
_WAIT = "wait_next_invocation"
_LEAST_WAIT_S = 1.0

logger = logging.getLogger(__name__)


def prelude(response: Mapping[str, Any]) -> bytes:
    """What stands before the body: the status, headers and cookies of a payload v2 response."""
    metadata = {key: response[key] for key in ("statusCode", "headers", "cookies") if key in response}
    return json.dumps(metadata).encode() + _SEPARATOR


def body_bytes(response: Mapping[str, Any]) -> bytes:
    """The bytes that a payload v2 response spells."""
    text: str = response.get("body", "")
    return base64.b64decode(text) if response.get("isBase64Encoded") else text.encode()


def encode_response(response: Mapping[str, Any]) -> bytes:
    """A finished payload v2 response, as a streaming URL delivers it."""
    return prelude(response) + body_bytes(response)


class ResponseStream:
    """One answer on its way to the Runtime API. One thread at a time may use it.

    When the other end has gone, or has read nothing until the deadline, writing does nothing from then on:
    the run goes on, and the next request finds a sound environment.
    """

    def __init__(self, connection: http.client.HTTPConnection, deadline: float) -> None:
        self._connection = connection
        self._deadline = deadline
        self._gone = False

    def write(self, data: bytes) -> None:
        """Send one chunk, waiting for a slow reader until the deadline."""
        if data:
            self._send(b"%x\r\n%b\r\n" % (len(data), data))

    def end(self, error: BaseException | None = None) -> None:
        """Send the last chunk, with Lambda's error trailers if something went wrong; see the answer off."""
        self._send(b"0\r\n" + (_error_trailers(error) if error else b"") + b"\r\n")
        try:
            if not self._gone:
                self._await_receipt()
        finally:
            self._connection.close()

    def _send(self, data: bytes) -> None:
        if self._gone:
            return
        try:
            self._connection.sock.settimeout(max(_LEAST_WAIT_S, self._deadline - time.time()))
            self._connection.send(data)
        except OSError as error:
            self._gone = True
            logger.warning("the answer's reader has gone: %r", error)

    def _await_receipt(self) -> None:
        try:
            receipt = self._connection.getresponse()
            if receipt.status != http.client.ACCEPTED:
                logger.warning("Lambda refused the stream with %d: %s", receipt.status, receipt.read(500))
        except (OSError, http.client.HTTPException) as error:
            logger.warning("the answer's reader has gone: %r", error)


def _error_trailers(error: BaseException) -> bytes:
    kind = f"Function.{type(error).__name__}"
    body = json.dumps({"errorType": kind, "errorMessage": "the answer broke off; the log says why"})
    return (
        f"Lambda-Runtime-Function-Error-Type: {kind}\r\n"
        f"Lambda-Runtime-Function-Error-Body: {base64.b64encode(body.encode()).decode()}\r\n"
    ).encode()


class StreamingRuntime:
    """Posts answers in the runtime client's stead."""

    def __init__(self, client: type, address: str) -> None:
        """Make `client`, awslambdaric's class, pass over the requests that are answered here."""
        self._address = address
        self._posted: set[str] = set()
        self._invocation_id: str | None = None
        for name in _POSTS:
            setattr(client, name, self._unless_posted(getattr(client, name)))
        if wait := getattr(client, _WAIT, None):
            setattr(client, _WAIT, self._noting_id(wait))

    @classmethod
    def find(cls, environ: Mapping[str, str], modules: Mapping[str, ModuleType] = sys.modules) -> Self | None:
        """Take over from the runtime client of this process, if it is built as this module needs it.

        What is needed of it: a class `LambdaRuntimeClient` whose two posts take the request id first.
        Otherwise None, and a log line.
        """
        client = getattr(modules.get("awslambdaric.lambda_runtime_client"), "LambdaRuntimeClient", None)
        address = environ.get("AWS_LAMBDA_RUNTIME_API")
        if client and address and all(_takes_request_id(client, name) for name in _POSTS):
            return cls(client, address)
        logger.warning("this runtime client is not one that streaming knows: answers are buffered")
        return None

    def open(self, request_id: str, response: Mapping[str, Any], *, deadline: float) -> ResponseStream:
        """Begin to answer a request: `response` has status, headers and cookies; what is written is the body.

        A slow reader is waited for until `deadline`, in seconds since the epoch.
        """
        stream = ResponseStream(self._connect(request_id), deadline)
        self._posted.add(request_id)
        stream.write(prelude(response))
        return stream

    def post(self, request_id: str, response: Mapping[str, Any], *, deadline: float) -> None:
        """Answer a request with a finished payload v2 response."""
        stream = self.open(request_id, response, deadline=deadline)
        stream.write(body_bytes(response))
        stream.end()

    def _connect(self, request_id: str) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection(self._address)
        path = f"/2018-06-01/runtime/invocation/{request_id}/response"
        connection.putrequest("POST", path, skip_accept_encoding=True)
        connection.putheader("Content-Type", HTTP_RESPONSE)
        connection.putheader("Lambda-Runtime-Function-Response-Mode", "streaming")
        connection.putheader("Transfer-Encoding", "chunked")
        connection.putheader(
            "Trailer", "Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body"
        )
        if self._invocation_id:
            connection.putheader("Lambda-Runtime-Invocation-Id", self._invocation_id)
        connection.endheaders()
        return connection

    def _unless_posted(self, post: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(post)
        def pass_over(client: Any, invoke_id: str, *arguments: Any, **named: Any) -> None:
            if invoke_id in self._posted:
                self._posted.discard(invoke_id)
                return
            post(client, invoke_id, *arguments, **named)

        return pass_over

    def _noting_id(self, wait: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(wait)
        def wait_next_invocation(client: Any) -> Any:
            request = wait(client)
            self._invocation_id = getattr(request, "invocation_id", None)
            return request

        return wait_next_invocation


def _takes_request_id(client: type, name: str) -> bool:
    code = getattr(getattr(client, name, None), "__code__", None)
    if code is None:
        return False
    # A monitoring SDK may have wrapped the method in a function of `*args`, which passes them on.
    return code.co_varnames[1:2] == ("invoke_id",) or bool(code.co_flags & inspect.CO_VARARGS)
