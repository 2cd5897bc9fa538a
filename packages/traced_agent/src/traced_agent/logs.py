"""One JSON line per thing worth saying, in Lambda's own format, with the run it belongs to.

Lambda's runtime turns each record into JSON when the function's log format is JSON, `extra` fields included.
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

_QUOTING = "strands.event_loop.streaming"
"""Its warning quotes what it cannot read of a tool's arguments, as when the token limit cut them short."""

_run: "contextvars.ContextVar[Run | None]" = contextvars.ContextVar("run", default=None)


def configure(level: str) -> None:
    """Log from this level on; libraries never below WARNING, where they tell headers and bodies."""
    root = logging.getLogger()
    root.setLevel(logging.WARNING)
    for name in ("traced_agent", "strands"):
        logging.getLogger(name).setLevel(level)
    logging.getLogger(_QUOTING).setLevel("DEBUG" if level == "DEBUG" else "CRITICAL")
    for handler in root.handlers:
        handler.addFilter(_tell_run)


@contextmanager
def run_context(run: "Run") -> Iterator[None]:
    """Put the run's ids on every line that is logged inside, in threads that carry the context too."""
    token = _run.set(run)
    try:
        yield
    finally:
        _run.reset(token)


def log_answer(run: "Run", answer: "Answer") -> None:
    """Say that a run was answered, and count what it used."""
    LOG.info(
        "answered",
        extra={"stop_reason": answer.stop_reason, "duration_ms": run.duration_ms, **answer.usage},
    )
    metrics.emit(
        {
            metrics.INPUT_TOKENS: answer.usage["inputTokens"],
            metrics.OUTPUT_TOKENS: answer.usage["outputTokens"],
            metrics.CACHE_READ_TOKENS: answer.usage.get("cacheReadInputTokens", 0),
            metrics.CACHE_WRITE_TOKENS: answer.usage.get("cacheWriteInputTokens", 0),
        }
    )


def log_error(run: "Run", api_error: "ApiError", error: Exception) -> None:
    """Say what a run ended in; with the traceback, where the exception says more than the api_error."""
    LOG.log(
        logging.ERROR if api_error.status >= 500 else logging.WARNING,
        api_error.message,
        exc_info=None if error is api_error else error,
        extra={"code": api_error.code, "status": api_error.status, "duration_ms": run.duration_ms},
    )


def _tell_run(record: logging.LogRecord) -> bool:
    if run := _run.get():
        record.run_id = run.id
        record.trace_id = run.links["trace_id"]
        if xray := xray_trace_id(os.environ):
            record.xray_trace_id = xray
    return True


def xray_trace_id(environ: Mapping[str, str]) -> str | None:
    """X-Ray's own id of the invocation, where X-Ray keeps it: Lambda always sets one."""
    header = dict(part.partition("=")[::2] for part in environ.get("_X_AMZN_TRACE_ID", "").split(";"))
    return header.get("Root") if header.get("Sampled") == "1" else None
