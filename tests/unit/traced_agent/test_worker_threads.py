"""Work in a thread of its own: in its caller's context, for so long, and never in another's way."""

import contextvars
import gc
import threading
import weakref

import pytest

from traced_agent.worker_threads import DeadlineExceeded, run_with_timeout, submit, wait

WHO = contextvars.ContextVar("who", default="nobody")


def test_work_is_done_in_another_thread_and_in_its_callers_context():
    WHO.set("me")
    assert run_with_timeout(
        5, lambda: (WHO.get(), threading.current_thread() is threading.main_thread())
    ) == (
        "me",
        False,
    )


def test_what_work_raises_is_raised_even_a_timeout():
    for error in (ValueError("x"), TimeoutError("its own")):
        with pytest.raises(type(error), match=str(error)):
            run_with_timeout(5, lambda error=error: _raise(error))


def _raise(error):
    raise error


def test_one_thread_serves_work_after_work():
    """But for one that may not be back yet when the next work begins."""
    threads = {run_with_timeout(5, threading.get_ident) for _ in range(50)}
    assert len(threads) <= 2


def test_a_blocked_thread_delays_no_other_thread_and_is_used_again_later():
    free, held = threading.Event(), []
    with pytest.raises(DeadlineExceeded):
        run_with_timeout(0.05, lambda: (held.append(threading.get_ident()), free.wait(10)))
    assert run_with_timeout(5, threading.get_ident) not in held
    free.set()
    outcomes = [submit(threading.get_ident) for _ in range(3)]
    assert all(wait(outcome, 5) for outcome in outcomes)
    busy = [submit(lambda: (threading.get_ident(), free.wait(10))) for _ in range(20)]
    assert held[0] in {outcome.result(5)[0] for outcome in busy}


def test_nothing_of_work_that_is_over_is_kept():
    class Held:
        pass

    held = Held()
    gone = weakref.ref(held)
    run_with_timeout(5, lambda held=held: None)
    del held
    run_with_timeout(5, lambda: None)
    gc.collect()
    assert gone() is None


def test_waiting_work_past_its_time_limit_differs_from_finished_work():
    never = threading.Event()
    outcome = submit(lambda: never.wait(10))
    assert not wait(outcome, 0.01)
    never.set()
    assert wait(outcome, 5)
