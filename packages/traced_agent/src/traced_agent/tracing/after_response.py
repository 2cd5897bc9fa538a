"""Exports traces after the answer has left and before Lambda freezes the environment.

Lambda answers the caller as soon as the runtime posts its response, and freezes the environment only when
every extension has asked for its next event. A thread of the function's own process may be such an extension,
an internal one. Once registered it must ask for the next event after each request, whatever happens: else the
environment hangs.

Source: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
"""

import functools
import http.client
import json
import logging
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from traced_agent.settings import Settings

logger = logging.getLogger(__name__)

Export = Callable[[float], None]
"""Exports, within so many seconds."""

_API: Final = "/2020-01-01/extension"
_NAME: Final = "traced-agent"

_SPARE_S: Final = 0.5
"""What is left of the function's time, always."""

_POSTING_S: Final = 2.0
"""For the runtime to post an answer; a runtime that never says so must not hold the environment."""

_GLANCE_S: Final = 0.5
"""So often whoever waits for an answer looks whether it is out, unasked."""

_FAILURES: Final = 50
"""So often in a row, and the extension is taken for dead."""


class PostedResponses:
    """Which requests have been answered: each finished request by its id, never a bare flag."""

    def __init__(self) -> None:
        self._last = ("", 0.0)
        self._changed = threading.Condition()

    def add(self, request_id: str, in_s: float = 0.0) -> None:
        """Note that the answer to this request is out, or will be in so many seconds at the latest."""
        with self._changed:
            self._last = (request_id, time.monotonic() + in_s)
            if not in_s:  # else nobody need wake up yet: whoever waits looks again by himself
                self._changed.notify_all()

    def wait(self, request_id: str, timeout_s: float) -> None:
        """Wait for that, for `timeout_s` seconds at most."""
        until = time.monotonic() + timeout_s
        with self._changed:
            while (now := time.monotonic()) < until:
                answered, out = self._last
                if answered == request_id and out <= now:
                    return
                self._changed.wait(
                    min(out if answered == request_id else until, until, now + _GLANCE_S) - now
                )


class Extension:
    """The internal extension: a registration, and the loop over events."""

    def __init__(self, api: str, *, pause_s: float = 0.1) -> None:
        self._connection = http.client.HTTPConnection(api)
        self._pause_s = pause_s
        """Before the next event is asked for again, when that failed."""
        self._id = ""
        self.posted = PostedResponses()
        self.alive = False
        """Whether it will see the next request."""

    def register(self) -> bool:
        """Register for INVOKE (an internal extension gets no SHUTDOWN); whether Lambda takes us.

        It does not on Lambda Managed Instances, say. Must be called during init.
        """
        try:
            headers = {"Lambda-Extension-Name": _NAME, "Content-Type": "application/json"}
            wanted = json.dumps({"events": ["INVOKE"]})
            response, body = self._call("POST", "/register", wanted, headers)
        except (OSError, http.client.HTTPException) as error:
            response, body = None, str(error).encode()
        self._id = response.headers.get("Lambda-Extension-Identifier", "") if response else ""
        self.alive = bool(self._id)
        if not self.alive:
            logger.info("traces are exported before the answer | refused=<%s>", body.decode(errors="replace"))
        return self.alive

    def run(self, export: Export, budget_s: float) -> None:
        """Export after each answer, for ever; ends only when Lambda has stopped to know us."""
        failures = 0
        while failures < _FAILURES:
            try:
                event = self._next()
                failures = 0
                self._after(event, export, budget_s)
            except BaseException as error:  # noqa: BLE001 - a thread that dies here hangs the environment
                failures += isinstance(error, OSError | http.client.HTTPException)
                logger.warning("after the answer: %s: %s", type(error).__name__, error)
                time.sleep(self._pause_s)
        self.alive = False

    def _next(self) -> dict[str, Any]:
        """Wait for the next request, as long as it takes: the environment may be frozen meanwhile."""
        response, body = self._call("GET", "/event/next", None, {"Lambda-Extension-Identifier": self._id})
        if response.status != 200:
            raise http.client.HTTPException(f"/event/next answered {response.status}")
        return dict(json.loads(body))

    def _after(self, event: Mapping[str, Any], export: Export, budget_s: float) -> None:
        if event.get("eventType") != "INVOKE":
            return
        deadline = event["deadlineMs"] / 1000 - _SPARE_S
        self.posted.wait(event["requestId"], deadline - time.time())
        export(max(0.0, min(budget_s, deadline - time.time())))

    def _call(
        self, method: str, path: str, body: str | None, headers: Mapping[str, str]
    ) -> tuple[http.client.HTTPResponse, bytes]:
        try:
            self._connection.request(method, _API + path, body, dict(headers))
            response = self._connection.getresponse()
            return response, response.read()
        except BaseException:
            self._connection.close()  # the next call opens it again
            raise


class AfterResponse:
    """Calls `export` once per request: after its answer, or before it where that is all there is."""

    def __init__(self, export: Export, budget_s: float, extension: Extension | None = None) -> None:
        self._export = export
        self._budget_s = budget_s
        self._extension = extension
        self._signalled = False
        if extension is not None:
            self._signalled = _signal_responses(extension.posted)
            threading.Thread(
                target=extension.run, args=(export, budget_s), name="after-response", daemon=True
            ).start()

    def finish(self, request_id: str, remaining_s: float) -> None:
        """The handler is about to return its answer to `request_id`: call this last, and always.

        Where the extension runs, this returns at once. Where it does not (registration refused, or
        `TRACE_EXPORT=before`), it exports now, within the budget and with time to spare before the function's
        deadline, `remaining_s` seconds from now.
        """
        if self._extension is None or not self._extension.alive:
            self._export(max(0.0, min(self._budget_s, remaining_s - _SPARE_S)))
        else:
            self._extension.posted.add(request_id, _POSTING_S if self._signalled else 0.0)


def start_after_response(
    export: Export | None, settings: "Settings", environ: Mapping[str, str]
) -> AfterResponse:
    """Register with Lambda as an internal extension; to be called once, while the function initialises.

    Where there is nothing to export, `None`, there is no extension either.
    """
    if export is None:
        return AfterResponse(lambda _budget_s: None, 0.0)
    api = environ.get("AWS_LAMBDA_RUNTIME_API")
    if settings.trace_export == "after" and api:
        extension = Extension(api)
        if extension.register():
            return AfterResponse(export, settings.trace_export_timeout_s, extension)
    return AfterResponse(export, settings.trace_export_timeout_s)


def _signal_responses(posted: PostedResponses) -> bool:
    """Learn the moment an answer is out: a runtime client that asks for the next request has posted the last.

    The handler cannot know: it returns before its answer is posted. Whether the client is there to be asked.
    """
    client = sys.modules.get("awslambdaric.lambda_runtime_client")
    base = getattr(client, "LambdaRuntimeClient", None)
    if base is None:
        return False
    wait_next = base.wait_next_invocation

    @functools.wraps(wait_next)
    def wait_next_invocation(self: Any) -> Any:
        if (last := getattr(self, "_answering", None)) is not None:
            posted.add(last)
        request = wait_next(self)
        self._answering = request.invoke_id
        return request

    base.wait_next_invocation = wait_next_invocation
    return True
