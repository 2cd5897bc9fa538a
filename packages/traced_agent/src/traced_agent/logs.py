"""The function's log: one JSON line per event, in Lambda's own format, with the ids of the run.

Lambda's runtime writes each record as JSON when the function's log format is JSON, `extra` fields included.
"""

import contextvars
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from traced_agent import metrics

if TYPE_CHECKING:
    from traced_agent.errors import ApiError
    from traced_agent.run import Answer, Run

LOG = logging.getLogger("traced_agent")

_QUOTES_ARGUMENTS = "strands.event_loop.streaming"
"""Its warning quotes tool arguments that are not JSON, as when the token limit cut them off."""

_run: "contextvars.ContextVar[Run | None]" = contextvars.ContextVar("run", default=None)


def configure(level: str) -> None:
    """Log from this level on; libraries never below WARNING, where they log headers and bodies."""
    metrics.track_lines()
    root = logging.getLogger()
    root.setLevel(logging.WARNING)
    for name in ("traced_agent", "strands"):
        logging.getLogger(name).setLevel(level)
    logging.getLogger(_QUOTES_ARGUMENTS).setLevel("DEBUG" if level == "DEBUG" else "CRITICAL")
    for handler in root.handlers:
        handler.addFilter(_add_run)


@contextmanager
def run_context(run: "Run") -> Iterator[None]:
    """Put the run's ids on every line that is logged inside, also by threads that carry the context.

    X-Ray's id is read now: a thread of an abandoned run logs while the variable holds the next request's.
    """
    run.xray_trace_id = xray_trace_id(os.environ)
    token = _run.set(run)
    try:
        yield
    finally:
        _run.reset(token)


def log_answer(run: "Run", answer: "Answer") -> None:
    """Log that a run was answered, and count its tokens."""
    LOG.info(
        "answered",
        extra={"stop_reason": answer.stop_reason, "duration_ms": run.duration_ms, **answer.usage},
    )
    _count_tokens(run)


def log_error(run: "Run", api_error: "ApiError", error: Exception) -> None:
    """Log the error that a run ended in; count its tokens, and the failure if it is not the caller's.

    The traceback is added when the exception contains more than the API error.
    """
    LOG.log(
        logging.ERROR if api_error.status >= 500 else logging.WARNING,
        api_error.message,
        exc_info=None if error is api_error else error,
        extra={"code": api_error.code, "status": api_error.status, "duration_ms": run.duration_ms},
    )
    _count_tokens(run)
    if api_error.status == 429 or api_error.status >= 500:
        metrics.emit({metrics.RUNS_FAILED: 1}, error_code=api_error.code)


def _count_tokens(run: "Run") -> None:
    metrics.emit(
        {
            metrics.INPUT_TOKENS: run.usage.get("inputTokens", 0),
            metrics.OUTPUT_TOKENS: run.usage.get("outputTokens", 0),
            metrics.CACHE_READ_TOKENS: run.usage.get("cacheReadInputTokens", 0),
            metrics.CACHE_WRITE_TOKENS: run.usage.get("cacheWriteInputTokens", 0),
        }
    )


def _add_run(record: logging.LogRecord) -> bool:
    metrics.end_line()
    if run := _run.get():
        record.run_id = run.id
        record.trace_id = run.links["trace_id"]
        if run.xray_trace_id:
            record.xray_trace_id = run.xray_trace_id
    return True


def xray_trace_id(environ: Mapping[str, str]) -> str | None:
    """X-Ray's id of the invocation if X-Ray samples it; Lambda always sets an id."""
    header = dict(part.partition("=")[::2] for part in environ.get("_X_AMZN_TRACE_ID", "").split(";"))
    return header.get("Root") if header.get("Sampled") == "1" else None
