"""One JSON line per thing worth saying, in Lambda's own format, with the run it belongs to.

Lambda's runtime turns each record into JSON when the function's log format is JSON, `extra` fields included.
"""

import contextvars
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from traced_agent.run import Run

_run: "contextvars.ContextVar[Run | None]" = contextvars.ContextVar("run", default=None)


def start(level: str) -> None:
    """Log from this level on; libraries never below WARNING, where they tell headers and bodies."""
    root = logging.getLogger()
    root.setLevel(logging.WARNING)
    for name in ("traced_agent", "strands"):
        logging.getLogger(name).setLevel(level)
    for handler in root.handlers:
        handler.addFilter(_tell_run)


@contextmanager
def about(run: "Run") -> Iterator[None]:
    """Put the run's ids on every line that is logged inside, in threads that carry the context too."""
    token = _run.set(run)
    try:
        yield
    finally:
        _run.reset(token)


def _tell_run(record: logging.LogRecord) -> bool:
    if run := _run.get():
        record.run_id = run.id
        record.trace_id = run.links["trace_id"]
    return True
