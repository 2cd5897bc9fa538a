"""The lease on a session: one turn at a time, whatever happens to its holder."""

import json
import threading

import pytest

from traced_agent.errors import ApiError
from traced_agent.sessions.store import TimeLimits


def test_of_many_turns_at_once_one_runs(store):
    entered, rejected, gate, finish = [], [], threading.Barrier(8), threading.Event()

    def turn():
        gate.wait()
        try:
            with store.turn("s-1", None, seconds=30):
                entered.append(1)
                finish.wait(10)
        except ApiError as api_error:
            rejected.append(api_error.code)
            if len(rejected) == 7:
                finish.set()

    threads = [threading.Thread(target=turn) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(entered), rejected) == (1, ["session_busy"] * 7)


def test_the_lease_of_a_turn_that_died_expires(store, bucket, clock, ask):
    dead = store.turn("s-1", None, seconds=30)
    dead.__enter__()
    clock.now += 30
    with pytest.raises(ApiError):
        ask("too early")
    clock.now += 6
    assert ask("in time") == ["in time"]
    assert not leases(bucket)


def test_a_turn_whose_lease_expired_does_not_release_the_next_one(store, bucket, clock):
    late = store.turn("s-1", None, seconds=30)
    late.__enter__()
    clock.now += 36
    with store.turn("s-1", None, seconds=30):
        late.__exit__(TimeoutError, TimeoutError(), None)
        assert leases(bucket)


def test_a_lease_is_recognised_as_our_own_when_the_response_to_its_write_was_lost(bucket, ask):
    put = bucket.put_object
    bucket.put_object = lambda **request: (put(**request), put(**request))[0]
    assert ask("first") == ["first"]
    assert not leases(bucket)


def test_a_lease_that_arrives_after_its_turn_gave_up_is_released(store, bucket):
    hold, released = threading.Event(), threading.Event()
    put, delete = bucket.put_object, bucket.delete_object
    bucket.put_object = lambda **request: (hold.wait(10), put(**request))[1]
    bucket.delete_object = lambda **request: (delete(**request), released.set())
    with (
        pytest.raises(ApiError),
        store.turn("s-1", None, seconds=30, limits=TimeLimits(to_read=0.05, to_write=0.1)),
    ):
        pass
    hold.set()
    assert released.wait(60)
    assert not leases(bucket)


@pytest.mark.parametrize("content", [b"", b"1e9", b"{}", b'{"until": "soon", "nonce": 1}'])
def test_a_lease_that_cannot_be_read_is_taken(store, bucket, ask, content):
    with store.turn("s-1", None, seconds=30):
        [key] = leases(bucket)
    bucket.objects[key] = content
    assert ask("hello") == ["hello"]


def test_a_lease_contains_its_end(store, bucket, clock):
    with store.turn("s-1", None, seconds=30):
        [key] = leases(bucket)
        assert json.loads(bucket.objects[key])["until"] == clock.now + 35


def leases(bucket):
    return [key for key in bucket.objects if key.endswith("lease")]
