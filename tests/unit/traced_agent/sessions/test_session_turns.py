"""Turns of a session: what is stored, when, and what is not."""

import json
import threading
import time
from contextlib import nullcontext
from dataclasses import replace

import pytest
from botocore.exceptions import EndpointConnectionError

from traced_agent.errors import ApiError
from traced_agent.sessions.store import SessionStore, TimeLimits
from traced_agent.settings import Settings
from traced_agent.testing import ToolUse


def code_of(caught):
    return caught.value.code


def test_a_session_continues_its_conversation(ask):
    assert ask("My name is Ada.") == ["My name is Ada."]
    assert ask("Who am I?") == ["My name is Ada.", "Yes.", "Who am I?"]
    assert len(ask("And now?")) == 5


def test_a_session_stopped_by_a_limit_continues_with_alternating_roles(store, calling):
    def ask(query, *script):
        called = calling(*script, settings=Settings(max_turns=2))
        called.handler = replace(called.handler, sessions=store)
        _, body, _ = called.post({"query": query, "session_id": "s-1"})
        return body["stop_reason"], [message["role"] for message in called.model.requests[0]]

    assert ask("Loop", ToolUse("calculator", {"expression": "1"}))[0] == "limit_turns"
    assert ask("Go on", "Yes.") == ("end_turn", ["user", "assistant"] * 3 + ["user"])


def test_sessions_and_users_are_apart(ask):
    ask("mine")
    assert ask("theirs", session_id="s-2") == ["theirs"]
    assert ask("a user's", user_id="s-1") == ["a user's"]
    assert ask("another user's", user_id="u") == ["another user's"]


@pytest.mark.parametrize(
    "session_id", ["../../etc/passwd", "a/b", "session_x/lease", " ", "%2e%2e", "a" * 200]
)
def test_no_id_leaves_its_place_in_the_bucket(ask, bucket, session_id):
    ask("x", session_id=session_id)
    folders = {key.split("/")[0] for key in bucket.objects}
    assert len(folders) == 1
    assert len(folders.pop()) == len("session_") + 64
    assert all(session_id not in key for key in bucket.objects)


def test_a_second_turn_at_the_same_time_is_rejected(store, ask):
    with store.turn("s-1", None, seconds=30) as turn:
        with pytest.raises(ApiError) as caught:
            ask("at once")
        assert (code_of(caught), caught.value.status) == ("session_busy", 409)
        assert turn.manager.session_id
    assert ask("afterwards") == ["afterwards"]


def test_a_failed_turn_leaves_nothing(store, calling, ask, bucket):
    ask("first")
    before = dict(bucket.objects)
    agent_fails = calling(RuntimeError("model"))
    with pytest.raises(RuntimeError), store.turn("s-1", None, seconds=30) as turn:
        agent_fails.handler.new_agent(session_manager=turn.manager)("second")
    assert bucket.objects == before
    assert ask("third") == ["first", "Yes.", "third"]


def test_an_abandoned_run_writes_nothing(store, calling, ask, bucket):
    turn = store.turn("s-1", None, seconds=30)
    abandoned = calling("late").handler.new_agent(session_manager=turn.__enter__().manager)
    turn.__exit__(TimeoutError, TimeoutError(), None)
    ask("next")
    before = dict(bucket.objects)
    abandoned("still going")
    assert bucket.objects == before


def test_a_session_that_has_grown_too_long_is_rejected(ask, bucket):
    ask("first")
    with (
        pytest.raises(ApiError) as caught,
        SessionStore(bucket, "b", max_messages=1).turn("s-1", None, seconds=30),
    ):
        pass
    assert (code_of(caught), caught.value.status) == ("session_full", 409)


def test_the_model_is_shown_the_latest_messages_of_a_long_session(ask):
    for number in range(25):
        ask(f"question {number}")
    shown = ask("the last")
    assert shown[-1] == "the last"
    assert "question 0" not in shown
    assert len(shown) <= 41


def test_an_unreachable_bucket_is_not_a_model_error(bucket, ask):
    def unreachable(operation, key):
        raise EndpointConnectionError(endpoint_url="https://bucket")

    bucket.refuses = unreachable
    with pytest.raises(ApiError) as caught:
        ask("x")
    assert code_of(caught) == "internal_error"
    assert "session" in caught.value.message


def test_through_the_handler_only_a_session_id_opens_a_session(calling, store, bucket):
    called = calling("Yes.")
    called.handler = replace(called.handler, sessions=store)
    assert called.post({"query": "alone"})[0] == 200
    assert bucket.objects == {}
    called.post({"query": "My name is Ada.", "session_id": "s-1"})
    called.post({"query": "Who am I?", "session_id": "s-1"})
    assert [len(messages) for messages in called.model.requests] == [1, 1, 3]


def test_a_busy_session_is_409_before_the_model_is_called(calling, store):
    called = calling("Yes.")
    called.handler = replace(called.handler, sessions=store)
    with store.turn("s-1", None, seconds=30):
        status, body, _ = called.post({"query": "x", "session_id": "s-1"})
    assert (status, body["error"]["code"]) == (409, "session_busy")
    assert called.model.requests == []


def test_a_turn_is_stored_with_one_write(bucket, ask):
    written = []
    bucket.refuses = lambda operation, key: written.append(key) if operation == "put" else None
    ask("first")
    ask("second")
    assert [key.split("/")[-1] for key in written] == ["lease", "conversation.json"] * 2


def test_a_turn_that_cannot_be_stored_changes_nothing(bucket, ask, failing):
    ask("first")
    before = dict(bucket.objects)

    def full(operation, key):
        if operation == "put" and key.endswith("conversation.json"):
            raise failing("SlowDown", 503)

    bucket.refuses = full
    with pytest.raises(ApiError) as caught:
        ask("second")
    assert code_of(caught) == "internal_error"
    assert bucket.objects == before


def test_a_write_whose_response_was_lost_counts_as_stored(bucket, ask):
    """The SDK writes again, and S3 rejects that because the first write succeeded."""
    put = bucket.put_object
    bucket.put_object = lambda **request: (put(**request), put(**request))[0]
    assert ask("first") == ["first"]
    assert ask("second") == ["first", "Yes.", "second"]


def test_a_late_write_of_an_overdue_turn_does_not_overwrite_the_next(store, bucket, clock, ask, calling):
    late = store.turn("s-1", None, seconds=30)
    agent = calling("late").handler.new_agent(session_manager=late.__enter__().manager)
    agent("late question")
    clock.now += 36
    ask("next")
    with pytest.raises(ApiError):
        late.__exit__(None, None, None)
    assert ask("and then") == ["next", "Yes.", "and then"]


@pytest.mark.parametrize("slow", ["get", "put", "delete"])
def test_a_slow_bucket_takes_at_most_the_remaining_time(store, bucket, calling, slow):
    hold = threading.Event()
    bucket.refuses = lambda operation, key: hold.wait(10) if operation == slow else None
    began = time.monotonic()
    expected = (
        nullcontext() if slow == "delete" else pytest.raises(ApiError, match="could not be read or stored")
    )
    limits = TimeLimits(to_read=0.2, to_write=0.4)
    with expected, store.turn("s-1", None, seconds=30, limits=limits) as turn:
        calling("Yes.").handler.new_agent(session_manager=turn.manager)("Hello")
    assert time.monotonic() - began < 5
    hold.set()


def test_every_write_renews_the_whole_session(bucket, ask):
    """S3 expires objects by the time they were written: a session is one object, so it expires as a whole."""
    ask("first")
    ask("second")
    assert [key.split("/")[-1] for key in bucket.objects] == ["conversation.json"]


@pytest.mark.parametrize(
    "damaged", [b"", b"{", b"[]", b'{"agents": 1}', b'{"agents": {"default": {}}}', b"\xff"]
)
def test_an_unreadable_session_is_replaced_by_a_new_one_with_one_log_line(bucket, ask, caplog, damaged):
    ask("first")
    [key] = bucket.objects
    bucket.objects[key] = damaged
    assert ask("second") == ["second"]
    assert len([line for line in caplog.messages if "session" in line]) == 1
    assert ask("third") == ["second", "Yes.", "third"]


def test_of_a_damaged_conversation_the_valid_rest_continues_with_one_log_line(bucket, ask, caplog):
    for question in ("first", "second", "third"):
        ask(question)
    [key] = bucket.objects
    stored = json.loads(bucket.objects[key])
    del stored["agents"]["default"]["messages"][0]
    bucket.objects[key] = json.dumps(stored).encode()
    assert ask("fourth") == ["second", "Yes.", "third", "Yes.", "fourth"]
    assert len([line for line in caplog.messages if "damaged" in line]) == 1


def test_text_that_utf_8_cannot_encode_is_stored(bucket, ask):
    ask("half \ud83d of it")
    assert ask("next")[0].startswith("half ")
