"""Runs work in a thread, with a time limit."""

import contextvars
import functools
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import TypeVar

T = TypeVar("T")

MAX_IDLE = 4
"""Threads that wait for work; a thread that finishes when so many wait already ends."""

_idle: "deque[SimpleQueue[Callable[[], None]]]" = deque()
"""The job queues of waiting threads. The last one to finish is used first. Starting a thread is expensive."""

_lock = threading.Lock()


class DeadlineExceeded(Exception):  # noqa: N818 - named like its error code
    """The work did not finish in time; its thread was abandoned."""


def run_with_timeout(seconds: float, work: Callable[[], T]) -> T:
    """Do the work in another thread, in this context, and return its result or raise its exception.

    A call in progress cannot be interrupted, but its thread can be abandoned. Its result is then dropped.

    Raises:
        DeadlineExceeded: it takes longer than `seconds`.
    """
    outcome = submit(work)
    if not wait(outcome, seconds):
        raise DeadlineExceeded
    return outcome.result()


def submit(work: Callable[[], T]) -> Future[T]:
    """Start the work in a thread, in this context; `wait` waits for it.

    The thread does nothing else meanwhile. It is a daemon, so it never keeps the process alive.
    """
    outcome: Future[T] = Future()
    try:
        jobs = _idle.pop()
    except IndexError:
        jobs = SimpleQueue()
        worker = threading.Thread(target=_work, args=(jobs,), name="worker", daemon=True)
        contextvars.Context().run(worker.start)  # this context belongs to the work, not to the thread
    jobs.put(functools.partial(contextvars.copy_context().run, _settle, outcome, work))
    return outcome


def wait(outcome: Future[T], seconds: float) -> bool:
    """Wait for the work at most `seconds`; returns whether it has finished."""
    try:
        outcome.exception(max(seconds, 0))
    except TimeoutError:
        return outcome.done()
    return True


def _work(jobs: "SimpleQueue[Callable[[], None]]") -> None:
    while True:
        jobs.get()()
        with _lock:
            if len(_idle) >= MAX_IDLE:
                return
            _idle.append(jobs)


def _settle(outcome: Future[T], work: Callable[[], T]) -> None:
    try:
        outcome.set_result(work())
    except Exception as error:  # noqa: BLE001 - raised again by the caller of `result`
        outcome.set_exception(error)
    except BaseException as error:  # noqa: BLE001 - a tool's sys.exit() must not end the process
        outcome.set_exception(RuntimeError(f"{type(error).__name__} in a worker thread"))
