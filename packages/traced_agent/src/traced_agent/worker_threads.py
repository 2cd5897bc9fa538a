"""Work that may not outlive its time."""

import contextvars
import functools
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import TypeVar

T = TypeVar("T")

_idle: "deque[SimpleQueue[Callable[[], None]]]" = deque()
"""Where threads wait for work, the last to have had some at the end: to start one is dear."""


class DeadlineExceeded(Exception):  # noqa: N818 - the name that the code of the error bears
    """The work was not done in time; its thread was left behind."""


def run_with_timeout(seconds: float, work: Callable[[], T]) -> T:
    """Do the work in a thread of its own, in this context, and give what it gives or raises.

    A thread can be abandoned where a call under way cannot be interrupted. What that ends with goes nowhere.

    Raises:
        DeadlineExceeded: it takes longer than `seconds`.
    """
    outcome = submit(work)
    if not wait(outcome, seconds):
        raise DeadlineExceeded
    return outcome.result()


def submit(work: Callable[[], T]) -> Future[T]:
    """Have the work done in a thread, in this context; `wait` waits for it.

    The thread has nothing else to do meanwhile, and is a daemon: it never keeps the process alive.
    """
    outcome: Future[T] = Future()
    try:
        jobs = _idle.pop()
    except IndexError:
        jobs = SimpleQueue()
        worker = threading.Thread(target=_work, args=(jobs,), name="worker", daemon=True)
        contextvars.Context().run(worker.start)  # this context is the work's, not the thread's
    jobs.put(functools.partial(contextvars.copy_context().run, _settle, outcome, work))
    return outcome


def wait(outcome: Future[T], seconds: float) -> bool:
    """Wait for the work, `seconds` at most; whether it has wait."""
    try:
        outcome.exception(max(seconds, 0))
    except TimeoutError:
        return outcome.done()
    return True


def _work(jobs: "SimpleQueue[Callable[[], None]]") -> None:
    while True:
        jobs.get()()
        _idle.append(jobs)


def _settle(outcome: Future[T], work: Callable[[], T]) -> None:
    try:
        outcome.set_result(work())
    except Exception as error:  # noqa: BLE001 - raised again by whoever waits
        outcome.set_exception(error)
    except BaseException as error:  # noqa: BLE001 - a tool's sys.exit() must not end the process
        outcome.set_exception(RuntimeError(f"{type(error).__name__} in a thread that is not its own"))
