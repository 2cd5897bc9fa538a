"""Exports traces after the response was sent and before Lambda freezes the environment.

Lambda sends the response to the caller when the runtime posts it, and freezes the environment only when every
extension has asked for its next event. A thread of the function's own process can be such an extension (an
internal extension). Once registered, it must ask for the next event after each request, whatever happens:
otherwise the environment hangs until the function's timeout.

Source: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
"""

import http.client
import json
import logging
import sys
import threading
import time
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from traced_agent.runtime_client import find_client, on_next_invocation, report_change

if TYPE_CHECKING:
    from traced_agent.settings import Settings

logger = logging.getLogger(__name__)

Export = Callable[[float], None]
"""Exports within the given number of seconds."""

_API: Final = "/2020-01-01/extension"
_NAME: Final = "traced-agent"

_RESERVE_S: Final = 0.5
"""The part of the function's time that exports never use."""

_MAX_POSTING_S: Final = 2.0
"""The longest wait for the runtime to post a response; after that the export starts anyway."""

_POLL_S: Final = 0.5
"""The interval at which a waiting thread checks by itself whether the response was posted."""

_MAX_FAILURES: Final = 50
"""Failures in a row after which the extension stops."""


class PostedResponses:
    """Records which request was answered: by its id, because a flag could mean an earlier request."""

    def __init__(self) -> None:
        self._last = ("", 0.0)
        self._changed = threading.Condition()

    def add(self, request_id: str, in_s: float = 0.0) -> None:
        """Record that the response to this request was posted, or will be within `in_s` seconds."""
        with self._changed:
            self._last = (request_id, time.monotonic() + in_s)
            if not in_s:  # otherwise the waiting thread need not wake up yet: it checks again by itself
                self._changed.notify_all()

    def wait(self, request_id: str, timeout_s: float) -> None:
        """Wait until the response to this request was posted, for `timeout_s` seconds at most."""
        until = time.monotonic() + timeout_s
        with self._changed:
            while (now := time.monotonic()) < until:
                answered, posted_at = self._last
                if answered == request_id and posted_at <= now:
                    return
                self._changed.wait(
                    min(posted_at if answered == request_id else until, until, now + _POLL_S) - now
                )


class Extension:
    """The internal extension: its registration and its loop over events."""

    def __init__(self, api: str, *, pause_s: float = 0.1) -> None:
        self._connection = http.client.HTTPConnection(api)
        self._pause_s = pause_s
        """The pause before it asks for the next event again, after a failure."""
        self._id = ""
        self.posted = PostedResponses()
        self.alive = False
        """Whether it will receive the next event."""

    def register(self) -> bool:
        """Register for INVOKE events (an internal extension gets no SHUTDOWN); whether Lambda accepted it.

        Lambda Managed Instances, for example, refuse it. Must be called during init.
        """
        try:
            headers = {"Lambda-Extension-Name": _NAME, "Content-Type": "application/json"}
            subscription = json.dumps({"events": ["INVOKE"]})
            response, body = self._call("POST", "/register", subscription, headers)
        except (OSError, http.client.HTTPException) as error:
            response, body = None, str(error).encode()
        self._id = response.headers.get("Lambda-Extension-Identifier", "") if response else ""
        self.alive = bool(self._id)
        if not self.alive:
            logger.info(
                "traces are exported before the response: Lambda refused the extension | refused=<%s>",
                body.decode(errors="replace"),
            )
        return self.alive

    def run(self, export: Export, budget_s: float) -> None:
        """Export after each response; ends only after many failures in a row."""
        failures = 0
        while failures < _MAX_FAILURES:
            try:
                event = self._next()
                failures = 0
                self._export_after(event, export, budget_s)
            except BaseException as error:  # noqa: BLE001 - if this thread ends, the environment hangs
                failures += isinstance(error, OSError | http.client.HTTPException)
                logger.warning("export after the response failed: %s: %s", type(error).__name__, error)
                time.sleep(self._pause_s)
        self.alive = False

    def _next(self) -> dict[str, Any]:
        """Wait for the next event without a time limit: the environment can be frozen in between."""
        response, body = self._call("GET", "/event/next", None, {"Lambda-Extension-Identifier": self._id})
        if response.status != 200:
            raise http.client.HTTPException(f"/event/next answered {response.status}")
        return dict(json.loads(body))

    def _export_after(self, event: Mapping[str, Any], export: Export, budget_s: float) -> None:
        if event.get("eventType") != "INVOKE":
            return
        deadline = event["deadlineMs"] / 1000 - _RESERVE_S
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
    """Calls `export` once per request: after the response, or before it if there is no extension."""

    def __init__(self, export: Export, budget_s: float, extension: Extension | None = None) -> None:
        self._export = export
        self._budget_s = budget_s
        self._extension = extension
        self._signal: PostedSignal | None = None
        if extension is not None:
            self._signal = PostedSignal(extension.posted)
            threading.Thread(
                target=extension.run, args=(export, budget_s), name="after-response", daemon=True
            ).start()

    def finish(self, request_id: str, remaining_s: float) -> None:
        """Call this last, for every request, when the handler is about to return its response.

        With the extension this returns at once. Without it (registration refused, or TRACE_EXPORT=before) it
        exports now, within the time limit and before the function's deadline, which is `remaining_s` seconds
        from now.
        """
        if self._extension is None or not self._extension.alive:
            self._export(max(0.0, min(self._budget_s, remaining_s - _RESERVE_S)))
        else:
            self._extension.posted.add(
                request_id, _MAX_POSTING_S if self._signal and self._signal.works else 0.0
            )


def start_after_response(
    export: Export | None, settings: "Settings", environ: Mapping[str, str]
) -> AfterResponse:
    """Register with Lambda as an internal extension; call it once, during init.

    If `export` is None there is nothing to export, and no extension is registered.
    """
    if export is None:
        return AfterResponse(lambda _budget_s: None, 0.0)
    api = environ.get("AWS_LAMBDA_RUNTIME_API")
    if settings.trace_export == "after" and api:
        extension = Extension(api)
        if extension.register():
            return AfterResponse(export, settings.trace_export_timeout_s, extension)
    return AfterResponse(export, settings.trace_export_timeout_s)


class PostedSignal:
    """Reports to `posted` when the runtime client has posted a response.

    The handler cannot know that: it returns before its response is posted. But a client that asks for its
    next request has posted the response to the last one.
    """

    def __init__(self, posted: PostedResponses, modules: Mapping[str, ModuleType] = sys.modules) -> None:
        self._posted = posted
        self._request_id: str | None = None
        client = find_client(modules)
        self.works = client is not None and on_next_invocation(client, before=self._before, after=self._after)
        """Whether the moment of the post is known; otherwise export begins as soon as the handler returns."""
        if not self.works:
            self._report()

    def _before(self) -> None:
        if self._request_id is not None:
            self._posted.add(self._request_id)

    def _after(self, request: Any) -> None:
        self._request_id = getattr(request, "invoke_id", None)
        if self._request_id is None and self.works:
            self.works = False
            self._report()

    def _report(self) -> None:
        report_change("traces are exported when the handler returns, not after its response is posted")
