"""Exports finished runs within a time limit, and keeps those that did not arrive."""

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
from traced_agent.tracing.export_attempt import (
    BusyError,
    ExportAttempt,
    ExportError,
    RateLimitedError,
    UnauthorizedError,
)
from traced_agent.tracing.otlp_encoding import encode
from traced_agent.tracing.score_queue import Score, ScoreQueue
from traced_agent.tracing.spans import SpanKey, size_bytes, span_key
from traced_agent.worker_threads import submit, wait

if TYPE_CHECKING:
    from concurrent.futures import Future

logger = logging.getLogger(__name__)

BACKLOG_BYTES: Final = 16 * 1024 * 1024
"""Memory for waiting runs; when it is full, the oldest are dropped first."""

_RETRY_DELAY_S: Final = 0.25
"""Before the only retry within an export."""

_ABORT_GRACE_S: Final = 0.1
"""For an aborted attempt to end, so that its thread does not run into the next request."""

_MAX_REFUSALS: Final = 3
"""A backend that accepts nothing at all can refuse a span so many times before the span is dropped."""


@dataclass
class QueuedRun:
    """A run that waits: those of its spans that have not arrived."""

    trace_id: str
    spans: list[ReadableSpan]
    queued_at: float
    """When it was queued, on the queue's clock."""
    tries: int = 0
    incomplete: bool = False
    """Whether the backend refused one of its spans for good."""

    @functools.cached_property
    def bytes(self) -> int:
        """An estimate of its memory; most runs are sent at once and never need it."""
        return size_bytes(self.spans)


class ExportQueue:
    """The waiting runs, and at most one export of them at a time."""

    def __init__(  # noqa: PLR0913
        self,
        backend: TraceBackend,
        finished: deque[list[ReadableSpan]],
        *,
        convert: Callable[[ReadableSpan], ReadableSpan] | None = None,
        scores: deque[Score] | None = None,
        spool_to_log: bool = False,
        backlog_bytes: int = BACKLOG_BYTES,
        emit: Callable[[Mapping[str, float]], None] = metrics.emit,
        write: Callable[[str], Any] = lambda line: sys.stdout.write(line + "\n"),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._backend = backend
        self._finished = finished
        self._scores = ScoreQueue(
            backend, deque() if scores is None else scores, write=write if spool_to_log else None
        )
        self._convert = convert or (lambda span: span)
        self._spool_to_log = spool_to_log
        self._backlog_bytes = backlog_bytes
        self._emit = emit
        self._write = write
        self._clock = clock  # not a monotonic clock: that one may stop while the environment is frozen
        self._pause_until = 0.0
        """No request before this time, because of the backend's `Retry-After`."""
        self._runs: deque[QueuedRun] = deque()
        self._counts: Counter[str] = Counter()
        self._one_at_a_time = threading.Lock()
        self._attempt: ExportAttempt | None = None
        self._sending: Future[None] | None = None
        self._flushing: Future[None] | None = None
        self._reported_error: str | None = None

    def prepare(self) -> None:
        """Before a run: see `TraceBackend.prepare`."""
        self._backend.prepare()

    def export(self, budget_s: float) -> None:
        """Send the waiting runs; returns after `budget_s` seconds at the latest. Never raises."""
        until = time.monotonic() + budget_s
        if not self._one_at_a_time.acquire(timeout=max(0.0, budget_s)):
            return
        try:
            self._export(until)
        except Exception:  # a fault of tracing must not become a fault of the request
            logger.exception("the export of traces failed")
        finally:
            self._emit({**self._counts, **self._waiting_metrics()})
            self._counts.clear()
            self._one_at_a_time.release()

    def _export(self, until: float) -> None:
        while self._finished:
            spans = [self._convert(span) for span in self._finished.popleft()]
            trace_id = format_trace_id(spans[0].context.trace_id)
            self._runs.append(QueuedRun(trace_id, spans, self._clock()))
        if self._finish_attempt(until) and self._runs and self._clock() >= self._pause_until:
            self._start_attempt(until)
            self._finish_attempt(until)
        self._drop_oldest()
        self._scores.export(until, self._counts)
        self._flush_sdk(until)

    def _waiting_metrics(self) -> dict[str, float]:
        """How many runs wait, and for how long; CloudWatch's alarms need the values while they last."""
        if not self._runs:
            return {}
        age_s = max(0.0, self._clock() - self._runs[0].queued_at)
        return {metrics.TRACES_WAITING: len(self._runs), metrics.OLDEST_TRACE_AGE: round(age_s, 3)}

    def _start_attempt(self, until: float) -> None:
        for run in self._runs:
            if run.tries == 1:
                self._counts[metrics.TRACES_RETRIED] += 1
            run.tries += 1
        spans = [span for run in self._runs for span in run.spans]
        self._attempt = ExportAttempt(spans, until - time.monotonic())
        self._sending = submit(functools.partial(self._send, self._attempt))

    def _send(self, attempt: ExportAttempt) -> None:
        """Send the pending spans; runs in a thread of its own, because only that bounds it reliably."""
        try:
            with suppress_instrumentation():
                self._send_with_retry(attempt)
        except SecretError as error:
            attempt.permanent_error = str(error)
        except RateLimitedError as error:
            attempt.error, attempt.retry_after_s = str(error), error.retry_after_s
        except ExportError as error:
            attempt.error = str(error)
        except BaseException as error:  # noqa: BLE001 - recorded; the spans stay in the queue
            attempt.error = f"{type(error).__name__}: {error}"

    def _send_with_retry(self, attempt: ExportAttempt) -> None:
        try:
            self._backend.send(attempt)
        except UnauthorizedError:
            if not self._backend.refresh_credentials():
                raise
            self._backend.send(attempt)
        except BusyError:
            time.sleep(min(_RETRY_DELAY_S, attempt.remaining_s()))
            self._backend.send(attempt)

    def _finish_attempt(self, until: float) -> bool:
        """Wait for the current attempt, abort it in time, and record its results; whether it has ended."""
        if self._attempt is None or self._sending is None:
            return True
        if not wait(self._sending, until - time.monotonic()):
            self._attempt.abort()
            wait(self._sending, _ABORT_GRACE_S)
            self._attempt.error = "the backend took longer than the time limit of an export"
        self._record_results(self._attempt)
        if ended := self._sending.done():
            self._attempt = None
        return ended

    def _record_results(self, attempt: ExportAttempt) -> None:
        refused = dict(attempt.refused)
        done = attempt.sent | attempt.filtered
        for run in [run for run in self._runs if run.tries]:
            if attempt.sent or run.tries >= _MAX_REFUSALS:
                self._drop_refused_spans(run, refused)
            run.spans = [span for span in run.spans if span_key(span) not in done]
            if not run.spans:
                self._runs.remove(run)
                self._counts[metrics.TRACES_LOST if run.incomplete else metrics.TRACES_EXPORTED] += 1
            elif attempt.permanent_error:
                self._runs.remove(run)
                self._drop(run, attempt.permanent_error)
        self._pause_until = self._clock() + attempt.retry_after_s
        if attempt.rejected:
            self._counts[metrics.TRACES_LOST] += 1
        self._report(
            attempt.permanent_error or attempt.error or attempt.rejected or next(iter(refused.values()), None)
        )
        attempt.rejected = None

    def _drop_refused_spans(self, run: QueuedRun, refused: Mapping[SpanKey, str]) -> None:
        for span in run.spans:
            if why := refused.get(span_key(span)):
                run.incomplete = True
                logger.error("span %s of trace %s is lost: refused with %s", span.name, run.trace_id, why)
        run.spans = [span for span in run.spans if span_key(span) not in refused]

    def _drop_oldest(self) -> None:
        while sum(run.bytes for run in self._runs) > self._backlog_bytes:
            self._drop(self._runs.popleft(), "the memory for waiting traces is full")

    def _drop(self, run: QueuedRun, why: str) -> None:
        self._counts[metrics.TRACES_SPOOLED if self._spool_to_log else metrics.TRACES_LOST] += 1
        result = "spooled to the log" if self._spool_to_log else "lost"
        logger.error("trace %s is %s: %s", run.trace_id, result, why)
        if self._spool_to_log:
            request = encode([self._backend.convert(span) for span in run.spans])
            for record in spool.records(run.trace_id, request):
                self._write(record)

    def _report(self, error: str | None) -> None:
        """Log an error once, not at each export, and log once that it is over."""
        kind = error and error.partition(": ")[0]
        if error and kind != self._reported_error:
            logger.warning("traces are not sent: %s", error)
        elif self._reported_error and not error:
            logger.warning("traces are sent again")
        self._reported_error = kind

    def _flush_sdk(self, until: float) -> None:
        """Let the backend's SDK send the user's own scores and media; if it hangs, it is left behind."""
        if self._backend.needs_flush() and (self._flushing is None or self._flushing.done()):
            self._flushing = submit(self._send_scores_and_media)
            wait(self._flushing, until - time.monotonic())

    def _send_scores_and_media(self) -> None:
        try:
            self._backend.flush_sdk()
        except BaseException as error:  # noqa: BLE001 - logged
            logger.warning("%s: %s | scores and media are not sent", type(error).__name__, error)
