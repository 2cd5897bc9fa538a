"""Lambda response streaming from the plain Python function.

AWS's Python runtime client posts a response after the handler has returned. The Runtime API itself accepts a
response in chunks from any process of the environment. So the function posts the response to its own request,
and the runtime client's own post for that request is dropped. Delete this module when AWS's client streams.

Sources: the chunked post and its error trailers,
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html#runtimes-custom-response-streaming;
the layout of an HTTP answer in it (metadata, eight NUL bytes, body),
https://docs.aws.amazon.com/apigateway/latest/developerguide/response-transfer-mode-lambda.html.
"""

import base64
import functools
import http.client
import json
import logging
import sys
import time
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, Self

from traced_agent.runtime_client import find_client, on_next_invocation, report_change, takes_request_id

HTTP_RESPONSE = "application/vnd.awslambda.http-integration-response"
"""With this content type Lambda reads the status and headers from the beginning of the stream."""

_SEPARATOR = bytes(8)
_POSTS = ("post_invocation_result", "post_invocation_error")
_LEAST_WAIT_S = 1.0

logger = logging.getLogger(__name__)


def prelude(response: Mapping[str, Any]) -> bytes:
    """The bytes before the body: the status, headers and cookies of a payload v2 response."""
    metadata = {key: response[key] for key in ("statusCode", "headers", "cookies") if key in response}
    return json.dumps(metadata).encode() + _SEPARATOR


def body_bytes(response: Mapping[str, Any]) -> bytes:
    """The body of a payload v2 response, decoded."""
    text: str = response.get("body", "")
    return base64.b64decode(text) if response.get("isBase64Encoded") else text.encode()


def encode_response(response: Mapping[str, Any]) -> bytes:
    """A finished payload v2 response, as a streaming URL delivers it."""
    return prelude(response) + body_bytes(response)


class ResponseStream:
    """One response that is being sent to the Runtime API. One thread at a time may use it.

    When the connection is closed, or nothing was read until the deadline, `write` does nothing from then on;
    the run continues, and the environment stays usable.
    """

    def __init__(self, connection: http.client.HTTPConnection, deadline: float) -> None:
        self._connection = connection
        self._deadline = deadline
        self._closed = False

    def write(self, data: bytes) -> None:
        """Send one chunk, waiting for a slow reader until the deadline."""
        if data:
            self._send(b"%x\r\n%b\r\n" % (len(data), data))

    def end(self, error: BaseException | None = None) -> None:
        """Send the last chunk, with Lambda's error trailers if `error` is given, and read the receipt."""
        self._send(b"0\r\n" + (_error_trailers(error) if error else b"") + b"\r\n")
        try:
            if not self._closed:
                self._await_receipt()
        finally:
            self._connection.close()

    def _send(self, data: bytes) -> None:
        if self._closed:
            return
        try:
            self._connection.sock.settimeout(max(_LEAST_WAIT_S, self._deadline - time.time()))
            self._connection.send(data)
        except OSError as error:
            self._closed = True
            logger.warning("the client closed the stream: %r", error)

    def _await_receipt(self) -> None:
        try:
            receipt = self._connection.getresponse()
            if receipt.status != http.client.ACCEPTED:
                logger.warning("Lambda rejected the stream with %d: %s", receipt.status, receipt.read(500))
        except (OSError, http.client.HTTPException) as error:
            logger.warning("the client closed the stream: %r", error)


def _error_trailers(error: BaseException) -> bytes:
    kind = f"Function.{type(error).__name__}"
    body = json.dumps(
        {"errorType": kind, "errorMessage": "The response is incomplete: see the function's log"}
    )
    return (
        f"Lambda-Runtime-Function-Error-Type: {kind}\r\n"
        f"Lambda-Runtime-Function-Error-Body: {base64.b64encode(body.encode()).decode()}\r\n"
    ).encode()


class StreamingRuntime:
    """Posts responses in place of the runtime client."""

    def __init__(self, client: type, address: str) -> None:
        """Wrap `client`, awslambdaric's class, so that it skips the requests that are answered here."""
        self._address = address
        self._posted: set[str] = set()
        self._invocation_id: str | None = None
        for name in _POSTS:
            setattr(client, name, self._unless_posted(getattr(client, name)))
        if not on_next_invocation(client, after=self._note_invocation):
            report_change("streamed responses carry no invocation id")

    @classmethod
    def find(cls, environ: Mapping[str, str], modules: Mapping[str, ModuleType] = sys.modules) -> Self | None:
        """Wrap the runtime client of this process, if it is as this module needs it.

        It needs a class `LambdaRuntimeClient` whose two posts take the request id first. Otherwise returns
        None, with a log line and the metric `RuntimeClientChanged`.
        """
        client, address = find_client(modules), environ.get("AWS_LAMBDA_RUNTIME_API")
        if client and address and all(takes_request_id(client, name) for name in _POSTS):
            return cls(client, address)
        report_change("responses are buffered, not streamed")
        return None

    def open(self, request_id: str, response: Mapping[str, Any], *, deadline: float) -> ResponseStream:
        """Begin the response to a request: `response` has status, headers and cookies; the body is written.

        A slow client is waited for until `deadline`, in seconds since the epoch.
        """
        stream = ResponseStream(self._connect(request_id), deadline)
        self._posted.add(request_id)
        stream.write(prelude(response))
        return stream

    def post(self, request_id: str, response: Mapping[str, Any], *, deadline: float) -> None:
        """Post a complete payload v2 response."""
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

    def _unless_posted(self, post: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(post)
        def post_unless_posted(*args: Any, **kwargs: Any) -> Any:
            request_id = kwargs.get("invoke_id", args[1] if len(args) > 1 else None)
            if request_id in self._posted:
                self._posted.discard(request_id)
                return None
            return post(*args, **kwargs)

        return post_unless_posted

    def _note_invocation(self, request: Any) -> None:
        self._invocation_id = getattr(request, "invocation_id", None)
