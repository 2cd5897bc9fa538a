# ruff: noqa: N803 - the arguments are S3's
import hashlib
import io
import json
import threading
from dataclasses import replace

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from traced_agent.errors import ApiError
from traced_agent.sessions import SessionStore
from traced_agent.settings import Settings
from traced_agent.testing import ToolUse


def error(code, status):
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "S3")


class NoSuchKey(ClientError):  # noqa: N818
    def __init__(self):
        super().__init__({"Error": {"Code": "NoSuchKey"}}, "GetObject")


class Bucket:
    """S3's client for one bucket in memory, conditions on writes and deletes included."""

    class exceptions:  # noqa: N801
        NoSuchKey = NoSuchKey

    def __init__(self):
        self.objects = {}
        self.refuses = lambda operation, key: None
        self._lock = threading.Lock()

    def put_object(self, *, Key, Body, IfNoneMatch=None, IfMatch=None, **_):
        with self._lock:
            self.refuses("put", Key)
            if IfNoneMatch and Key in self.objects:
                raise error("PreconditionFailed", 412)
            if IfMatch and Key not in self.objects:
                raise NoSuchKey
            if IfMatch and IfMatch != self._etag(Key):
                raise error("PreconditionFailed", 412)
            self.objects[Key] = Body
            return {"ETag": self._etag(Key)}

    def get_object(self, *, Key, **_):
        self.refuses("get", Key)
        if Key not in self.objects:
            raise NoSuchKey
        return {"Body": io.BytesIO(self.objects[Key]), "ETag": self._etag(Key)}

    def head_object(self, *, Key, **_):
        if Key not in self.objects:
            raise error("404", 404)

    def delete_object(self, *, Key, IfMatch=None, **_):
        self.refuses("delete", Key)
        if IfMatch and Key in self.objects and IfMatch != self._etag(Key):
            raise error("PreconditionFailed", 412)
        self.objects.pop(Key, None)

    def delete_objects(self, *, Delete, **_):
        for item in Delete["Objects"]:
            self.objects.pop(item["Key"])

    def list_objects_v2(self, *, Prefix, **_):
        found = [key for key in self.objects if key.startswith(Prefix)]
        return {"Contents": [{"Key": key, "Size": len(self.objects[key])} for key in found]} if found else {}

    def get_paginator(self, operation):
        return type("Pages", (), {"paginate": lambda _, **named: [self.list_objects_v2(**named)]})()

    def _etag(self, key):
        return hashlib.md5(self.objects[key]).hexdigest()


@pytest.fixture
def bucket():
    return Bucket()


@pytest.fixture
def clock():
    class Clock:
        now = 1_000_000.0

        def __call__(self):
            return self.now

    return Clock()


@pytest.fixture
def store(bucket, clock):
    return SessionStore(bucket, "bucket", clock=clock)


@pytest.fixture
def ask(store, calling):
    """One turn with a model that says `answer`; gives the messages that the model was shown."""

    def ask(query, answer="Yes.", session_id="s-1", user_id=None):
        called = calling(answer)
        with store.turn(session_id, user_id, seconds=30) as manager:
            called.handler.new_agent(session_manager=manager)(query)
        return [block["text"] for message in called.model.requests[0] for block in message["content"]]

    return ask


def code_of(caught):
    return caught.value.code


def test_a_session_continues_its_conversation(ask):
    assert ask("My name is Ada.") == ["My name is Ada."]
    assert ask("Who am I?") == ["My name is Ada.", "Yes.", "Who am I?"]
    assert len(ask("And now?")) == 5


def test_a_session_that_a_limit_cut_short_goes_on_with_roles_that_alternate(store, calling):
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


def test_a_second_turn_at_once_is_refused_and_mixes_nothing(store, ask):
    with store.turn("s-1", None, seconds=30) as manager:
        with pytest.raises(ApiError) as caught:
            ask("at once")
        assert (code_of(caught), caught.value.status) == ("session_busy", 409)
        assert manager.session_id
    assert ask("afterwards") == ["afterwards"]


def test_of_many_turns_at_once_one_runs(store):
    entered, refused, gate = [], [], threading.Barrier(8)

    def turn():
        gate.wait()
        try:
            with store.turn("s-1", None, seconds=30):
                entered.append(1)
                finish.wait(10)
        except ApiError as api_error:
            refused.append(api_error.code)
            if len(refused) == 7:
                finish.set()

    finish = threading.Event()
    threads = [threading.Thread(target=turn) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(entered), refused) == (1, ["session_busy"] * 7)


def test_the_lease_of_a_holder_that_died_expires(store, bucket, clock, ask):
    dead = store.turn("s-1", None, seconds=30)
    dead.__enter__()
    clock.now += 30
    with pytest.raises(ApiError):
        ask("too early")
    clock.now += 6
    assert ask("in time") == ["in time"]
    assert not [key for key in bucket.objects if key.endswith("lease")]


def test_a_holder_that_overstayed_does_not_give_back_anothers_lease(store, bucket, clock):
    late = store.turn("s-1", None, seconds=30)
    late.__enter__()
    clock.now += 36
    with store.turn("s-1", None, seconds=30):
        late.__exit__(TimeoutError, TimeoutError(), None)
        assert [key for key in bucket.objects if key.endswith("lease")]


def test_a_turn_that_failed_leaves_nothing_behind(store, calling, ask, bucket):
    ask("first")
    before = dict(bucket.objects)
    agent_fails = calling(RuntimeError("model"))
    with pytest.raises(RuntimeError), store.turn("s-1", None, seconds=30) as manager:
        agent_fails.handler.new_agent(session_manager=manager)("second")
    assert bucket.objects == before
    assert ask("third") == ["first", "Yes.", "third"]


def test_a_run_that_was_abandoned_writes_into_nothing(store, calling, ask, bucket):
    turn = store.turn("s-1", None, seconds=30)
    abandoned = calling("late").handler.new_agent(session_manager=turn.__enter__())
    turn.__exit__(TimeoutError, TimeoutError(), None)
    ask("next")
    before = dict(bucket.objects)
    abandoned("still going")
    assert bucket.objects == before


def test_a_turn_that_cannot_be_kept_whole_is_not_kept_in_part(bucket, ask):
    ask("first")
    before = {key: value for key, value in bucket.objects.items() if "/messages/" in key}

    def full(operation, key):
        if operation == "put" and key.endswith("message_3.json"):
            raise error("SlowDown", 503)

    bucket.refuses = full
    with pytest.raises(ApiError) as caught:
        ask("second")
    assert code_of(caught) == "internal_error"
    assert {key: value for key, value in bucket.objects.items() if "/messages/" in key} == before


def test_what_was_written_in_vain_is_removed_in_one_wait_for_a_slow_bucket(ask, bucket):
    meet = threading.Barrier(2, timeout=10)

    def refuses(operation, key):
        if operation == "put" and key.endswith("agent.json"):
            raise error("SlowDown", 503)
        if operation == "delete" and "/messages/" in key:
            meet.wait()

    bucket.refuses = refuses
    with pytest.raises(ApiError):
        ask("My name is Ada.")
    assert not [key for key in bucket.objects if "/messages/" in key]


def test_a_session_that_has_grown_too_long_is_refused(ask, bucket):
    ask("first")
    with (
        pytest.raises(ApiError) as caught,
        SessionStore(bucket, "b", most_messages=2).turn("s-1", None, seconds=30),
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


def test_messages_that_outlived_an_expired_session_are_of_no_conversation(ask, bucket):
    ask("old")
    for key in [key for key in bucket.objects if key.endswith("session.json")]:
        del bucket.objects[key]
    assert ask("new") == ["new"]
    assert ask("newer") == ["new", "Yes.", "newer"]


def test_a_sessions_head_is_as_young_as_its_last_turn(ask, bucket):
    ask("first")
    [head] = [key for key in bucket.objects if key.endswith("session.json")]
    written = []
    bucket.refuses = lambda operation, key: written.append(key) if operation == "put" else None
    ask("second")
    assert head in written


def test_a_bucket_out_of_reach_is_no_fault_of_the_models(bucket, ask):
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


def test_through_the_handler_a_busy_session_is_409_before_the_model_is_asked(calling, store):
    called = calling("Yes.")
    called.handler = replace(called.handler, sessions=store)
    with store.turn("s-1", None, seconds=30):
        status, body, _ = called.post({"query": "x", "session_id": "s-1"})
    assert (status, body["error"]["code"]) == (409, "session_busy")
    assert called.model.requests == []


def test_what_is_kept_is_strands_own_format(ask, bucket):
    ask("hello")
    [first] = [value for key, value in bucket.objects.items() if key.endswith("message_0.json")]
    assert json.loads(first)["message"]["content"] == [{"text": "hello"}]
