"""How a response leaves the function: complete, or while it is generated."""

import time
from collections.abc import Callable, Mapping
from types import MappingProxyType, TracebackType
from typing import Any, Self

from traced_agent.http import function_url
from traced_agent.http.accept import EVENT_STREAM, wants
from traced_agent.http.function_url import Response
from traced_agent.streaming import sse
from traced_agent.streaming.lambda_response import ResponseStream, StreamingRuntime, encode_response
from traced_agent.streaming.sse import SseWriter

BUFFERED = {"x-response-mode": "buffered"}
"""Marks a response that is not a stream, for a client that requested one."""


class ResponseWriter:
    """Sends one response: a stream starts with the agent, and every response ends with the whole answer.

    An exception that passes through ends a begun stream with an error, so no client takes it for complete.
    """

    def __init__(
        self,
        runtime: StreamingRuntime | None = None,
        request_id: str = "",
        deadline: float = 0.0,
        *,
        streaming: bool = False,
        tool_details: bool = False,
    ) -> None:
        self._runtime = runtime
        self._request_id = request_id
        self._deadline = deadline
        self._streaming = streaming
        self._tool_details = tool_details
        self._asked = False
        self._stream: ResponseStream | None = None
        self._events: SseWriter | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error and self._stream and self._events:
            self._events.close()
            self._stream.end(error)

    def start_stream(self, accept: str, first_event: Mapping[str, Any]) -> Callable[..., None] | None:
        """Stream from now on, if the client asks for it and the URL can.

        Args:
            accept: the request's header.
            first_event: the `start` event's object.

        Returns:
            The agent's `callback_handler`; None if the response is buffered.
        """
        self._asked = wants(accept, EVENT_STREAM)
        if not (self._asked and self._runtime):
            return None
        head = {"statusCode": 200, "headers": sse.HEADERS}
        self._stream = self._runtime.open(self._request_id, head, deadline=self._deadline)
        self._stream.write(sse.RETRY)
        self._events = SseWriter(self._stream.write, tool_details=self._tool_details)
        self._events.send("start", first_event)
        return self._events.on_event

    def finish(self, response: Response) -> Any:
        """Send the response, or the rest of it; returns what the handler must return."""
        if self._stream and self._events:
            self._events.close("result" if response.status == 200 else "error", response.body)
            self._stream.end()
            return None
        event = function_url.to_event(response)
        if self._asked:
            event["headers"] |= BUFFERED
        if self._runtime:
            self._runtime.post(self._request_id, event, deadline=self._deadline)
            return None
        return encode_response(event) if self._streaming else event


class ResponseWriters:
    """Opens a writer for each request.

    On a streaming URL every response is sent in that format: AWS does not document that such a URL reads the
    JSON of a buffered response. If the runtime client cannot be wrapped, it is given the same bytes. A direct
    invocation has no URL, and gets JSON.
    """

    def __init__(
        self,
        environ: Mapping[str, str] = MappingProxyType({}),
        *,
        streaming: bool = False,
        tool_details: bool = False,
    ) -> None:
        self._streaming = streaming
        self._tool_details = tool_details
        self._runtime = StreamingRuntime.find(environ) if streaming else None

    def open(self, request_id: str, seconds: float, *, direct: bool = False) -> ResponseWriter:
        """The writer of a request's response; a slow client is waited for so many seconds."""
        if direct:
            return ResponseWriter()
        return ResponseWriter(
            self._runtime,
            request_id,
            time.time() + seconds,
            streaming=self._streaming,
            tool_details=self._tool_details,
        )
