"""Sends the scores of users after the response; keeps, retries, counts and spools them like traces."""

import functools
import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.instrumentation.utils import suppress_instrumentation

from traced_agent import metrics
from traced_agent.aws.secret import SecretError
from traced_agent.tracing import spool
from traced_agent.tracing.backends import TraceBackend
from traced_agent.tracing.export_attempt import ExportAttempt, ExportError, RefusedError, UnauthorizedError
from traced_agent.worker_threads import submit, wait

if TYPE_CHECKING:
    from concurrent.futures import Future

logger = logging.getLogger(__name__)

MAX_WAITING: Final = 1_000
"""Scores that wait; when there are more, the oldest are dropped first."""

Score = Mapping[str, Any]


class ScoreQueue:
    """The waiting scores, and at most one export of them at a time."""

    def __init__(
        self, backend: TraceBackend, added: deque[Score], *, write: Callable[[str], Any] | None = None
    ) -> None:
        """`added`: new scores, oldest first; `write`: spools a dropped score as one line, if it is given."""
        self._backend = backend
        self._added = added
        self._write = write
        self._waiting: deque[Score] = deque()
        self._sending: Future[None] | None = None
        self._reported: str | None = None

    def export(self, until: float, counts: Counter[str]) -> None:
        """Send the waiting scores; returns at `until` (monotonic) at the latest, and counts the results."""
        while self._added:
            self._waiting.append(self._added.popleft())
        ended = self._sending is None or wait(self._sending, until - time.monotonic())
        if self._waiting and ended:
            attempt = ExportAttempt((), until - time.monotonic())
            self._sending = submit(functools.partial(self._send, attempt, counts))
            if not wait(self._sending, until - time.monotonic()):
                attempt.abort()
        while len(self._waiting) > MAX_WAITING:
            self._drop(self._waiting.popleft(), "too many scores wait", counts)

    def _send(self, attempt: ExportAttempt, counts: Counter[str]) -> None:
        error: str | None = None
        try:
            with suppress_instrumentation():
                while self._waiting:
                    score = self._waiting[0]
                    self._send_one(score, attempt, counts)
                    with suppress(ValueError):  # dropped meanwhile, because too many scores waited
                        self._waiting.remove(score)
        except SecretError as problem:
            error = str(problem)
            while self._waiting:
                self._drop(self._waiting.popleft(), error, counts)
        except ExportError as problem:
            error = str(problem)
        if error and error != self._reported:
            logger.warning("scores are not sent: %s", error)
        self._reported = error

    def _send_one(self, score: Score, attempt: ExportAttempt, counts: Counter[str]) -> None:
        try:
            try:
                self._backend.create_score(score, attempt)
            except UnauthorizedError:
                if not self._backend.refresh_credentials():
                    raise
                self._backend.create_score(score, attempt)
        except RefusedError as error:
            self._drop(score, str(error), counts)
        else:
            counts[metrics.FEEDBACK_EXPORTED] += 1

    def _drop(self, score: Score, why: str, counts: Counter[str]) -> None:
        counts[metrics.FEEDBACK_SPOOLED if self._write else metrics.FEEDBACK_LOST] += 1
        result = "spooled to the log" if self._write else "lost"
        logger.error("the score of trace %s is %s: %s", score["traceId"], result, why)
        if self._write:
            self._write(spool.score_record(score))
