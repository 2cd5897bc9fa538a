"""Brings runs to their destination, within a budget, and keeps those that did not get there."""

import functools
import logging
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import format_trace_id

from traced_agent import metrics
from traced_agent.aws.secret import SecretError
from traced_agent.tracing import spool
from traced_agent.tracing.backends import TraceBackend
from traced_agent.tracing.otlp_client import BusyError, ExportAttempt, ExportError, UnauthorizedError, encode
from traced_agent.tracing.spans import SpanKey, size_bytes, span_key
from traced_agent.worker_threads import submit, wait

if TYPE_CHECKING:
    from concurrent.futures import Future

logger = logging.getLogger(__name__)

BACKLOG_BYTES: Final = 16 * 1024 * 1024
"""Memory for runs that wait to be sent; the oldest go first when it is full."""

_PAUSE_S: Final = 0.25
"""Before the one second try within an export."""

_GRACE_S: Final = 0.1
"""For a flight that was cut off to wind up: what it left undone would fall to the next request."""

_REFUSALS: Final = 3
"""So often may a backend that takes nothing at all refuse a span, until the span is given up."""


@dataclass
class Waiting:
    """A run that waits to be sent: those of its spans that are not yet there."""

    trace_id: str
    spans: list[ReadableSpan]
    bytes: int
    tries: int = 0
    incomplete: bool = False
    """Whether the backend refused one of its spans for good."""


class ExportQueue:
    """The backlog of runs, and at most one export of it at a time."""

    def __init__(  # noqa: PLR0913
        self,
        destination: TraceBackend,
        finished: deque[list[ReadableSpan]],
        *,
        strip: Callable[[ReadableSpan], ReadableSpan] | None = None,
        spooled: bool = False,
        backlog_bytes: int = BACKLOG_BYTES,
        emit: Callable[[Mapping[str, float]], None] = metrics.emit,
        write: Callable[[str], Any] = lambda line: sys.stdout.write(line + "\n"),
    ) -> None:
        self._destination = destination
        self._finished = finished
        self._strip = strip or (lambda span: span)
        self._spooled = spooled
        self._limit = backlog_bytes
        self._emit = emit
        self._write = write
        self._runs: deque[Waiting] = deque()
        self._counts: Counter[str] = Counter()
        self._one_at_a_time = threading.Lock()
        self._flight: ExportAttempt | None = None
        self._flown: Future[None] | None = None
        self._flushed: Future[None] | None = None
        self._trouble: str | None = None

    def prepare(self) -> None:
        """Before a run: see `TraceBackend.prepare`."""
        self._destination.prepare()

    def export(self, budget_s: float) -> None:
        """Send the backlog; back after `budget_s` seconds at the latest. Never raises."""
        until = time.monotonic() + budget_s
        if not self._one_at_a_time.acquire(timeout=max(0.0, budget_s)):
            return
        try:
            self._export(until)
        except Exception:  # what becomes of a trace is never the caller's trouble
            logger.exception("the export of traces failed")
        finally:
            self._emit(self._counts)
            self._counts.clear()
            self._one_at_a_time.release()

    def _export(self, until: float) -> None:
        while self._finished:
            spans = [self._strip(span) for span in self._finished.popleft()]
            self._runs.append(Waiting(format_trace_id(spans[0].context.trace_id), spans, size_bytes(spans)))
        if self._landed(until) and self._runs:
            self._take_off(until)
            self._landed(until)
        self._trim()
        self._flush(until)

    def _take_off(self, until: float) -> None:
        for run in self._runs:
            if run.tries:
                self._counts[metrics.TRACES_RETRIED] += 1
            run.tries += 1
        spans = [span for run in self._runs for span in run.spans]
        self._flight = ExportAttempt(spans, until - time.monotonic())
        self._flown = submit(functools.partial(self._fly, self._flight))

    def _fly(self, flight: ExportAttempt) -> None:
        """Send what is left; in a thread of its own, since nothing else bounds it for sure."""
        try:
            with suppress_instrumentation():
                self._try(flight)
        except SecretError as error:
            flight.hopeless = str(error)
        except ExportError as error:
            flight.trouble = str(error)
        except BaseException as error:  # noqa: BLE001 - noted; the spans stay
            flight.trouble = f"{type(error).__name__}: {error}"

    def _try(self, flight: ExportAttempt) -> None:
        try:
            self._destination.send(flight)
        except UnauthorizedError:
            if not self._destination.renew():
                raise
            self._destination.send(flight)
        except BusyError:
            time.sleep(min(_PAUSE_S, flight.remaining_s()))
            self._destination.send(flight)

    def _landed(self, until: float) -> bool:
        """Wait for the flight under way, cut it off in time, settle what it did; whether it is over."""
        if self._flight is None or self._flown is None:
            return True
        if not wait(self._flown, until - time.monotonic()):
            self._flight.abort()
            wait(self._flown, _GRACE_S)
            self._flight.trouble = "the backend took longer than the export may"
        self._settle(self._flight)
        if over := self._flown.done():
            self._flight = None
        return over

    def _settle(self, flight: ExportAttempt) -> None:
        refused = dict(flight.refused)
        done = flight.sent | flight.filtered
        for run in [run for run in self._runs if run.tries]:
            if flight.sent or run.tries >= _REFUSALS:
                self._give_up(run, refused)
            run.spans = [span for span in run.spans if span_key(span) not in done]
            if not run.spans:
                self._runs.remove(run)
                self._counts[metrics.TRACES_LOST if run.incomplete else metrics.TRACES_EXPORTED] += 1
            elif flight.hopeless:
                self._runs.remove(run)
                self._lose(run, flight.hopeless)
        if flight.rejected:
            self._counts[metrics.TRACES_LOST] += 1
        self._report(
            flight.hopeless or flight.trouble or flight.rejected or next(iter(refused.values()), None)
        )
        flight.rejected = None

    def _give_up(self, run: Waiting, refused: Mapping[SpanKey, str]) -> None:
        for span in run.spans:
            if why := refused.get(span_key(span)):
                run.incomplete = True
                logger.error("span %s of trace %s is lost: refused with %s", span.name, run.trace_id, why)
        run.spans = [span for span in run.spans if span_key(span) not in refused]

    def _trim(self) -> None:
        while sum(run.bytes for run in self._runs) > self._limit:
            self._lose(self._runs.popleft(), "the memory for waiting traces is full")

    def _lose(self, run: Waiting, why: str) -> None:
        self._counts[metrics.TRACES_SPOOLED if self._spooled else metrics.TRACES_LOST] += 1
        end = "spooled to the log" if self._spooled else "lost"
        logger.error("trace %s is %s: %s", run.trace_id, end, why)
        if self._spooled:
            request = encode([self._destination.shaped(span) for span in run.spans])
            for record in spool.records(run.trace_id, request):
                self._write(record)

    def _report(self, trouble: str | None) -> None:
        """Say once that something is wrong, not at each export, and once that it is right again."""
        kind = trouble and trouble.partition(": ")[0]
        if trouble and kind != self._trouble:
            logger.warning("traces are not sent: %s", trouble)
        elif self._trouble and not trouble:
            logger.warning("traces are sent again")
        self._trouble = kind

    def _flush(self, until: float) -> None:
        """Let the destination's SDK send what the agent's author gave it; one that hangs is left behind."""
        if self._flushed is None or self._flushed.done():
            self._flushed = submit(self._send_authors)
            wait(self._flushed, until - time.monotonic())

    def _send_authors(self) -> None:
        try:
            self._destination.flush()
        except BaseException as error:  # noqa: BLE001 - said, and no more
            logger.warning("%s: %s | scores and media are not sent", type(error).__name__, error)
