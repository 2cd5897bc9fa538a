"""Work that may not outlive its time."""

import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


class DeadlineExceeded(Exception):  # noqa: N818 - the name that the code of the error bears
    """The work was not done in time; its thread was left behind."""


def within(seconds: float, work: Callable[[], T]) -> T:
    """Do the work in a thread of its own, in this context, and give what it gives or raises.

    A thread can be abandoned where a call under way cannot be interrupted. It is a daemon: it never keeps the
    process alive, and what it ends with goes nowhere.

    Raises:
        DeadlineExceeded: it takes longer than `seconds`.
    """
    outcome: Future[T] = Future()
    worker = threading.Thread(
        target=contextvars.copy_context().run, args=(_settle, outcome, work), name="agent", daemon=True
    )
    worker.start()
    worker.join(max(seconds, 0))
    if not outcome.done():
        raise DeadlineExceeded
    return outcome.result()


def _settle(outcome: Future[T], work: Callable[[], T]) -> None:
    try:
        outcome.set_result(work())
    except Exception as error:  # noqa: BLE001 - raised again by whoever waits
        outcome.set_exception(error)
    except BaseException as error:  # noqa: BLE001 - a tool's sys.exit() must not end the process
        outcome.set_exception(RuntimeError(f"{type(error).__name__} in a thread that is not its own"))
