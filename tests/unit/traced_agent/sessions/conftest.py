"""S3 in memory, and turns of a session."""

# ruff: noqa: N803 - the arguments are S3's
import hashlib
import io
import threading
from dataclasses import replace

import pytest
from botocore.exceptions import ClientError

from traced_agent.sessions.store import SessionStore


def s3_error(code, status):
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
                raise s3_error("PreconditionFailed", 412)
            if IfMatch and Key not in self.objects:
                raise NoSuchKey
            if IfMatch and IfMatch != self._etag(Key):
                raise s3_error("PreconditionFailed", 412)
            self.objects[Key] = Body
            return {"ETag": self._etag(Key)}

    def get_object(self, *, Key, **_):
        self.refuses("get", Key)
        if Key not in self.objects:
            raise NoSuchKey
        return {"Body": io.BytesIO(self.objects[Key]), "ETag": self._etag(Key)}

    def delete_object(self, *, Key, IfMatch=None, **_):
        self.refuses("delete", Key)
        if IfMatch and Key in self.objects and IfMatch != self._etag(Key):
            raise s3_error("PreconditionFailed", 412)
        self.objects.pop(Key, None)

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
    """One turn with a model that answers `answer`; returns the texts that the model was shown."""

    def ask(query, answer="Yes.", session_id="s-1", user_id=None):
        called = calling(answer)
        with store.turn(session_id, user_id, seconds=30) as turn:
            called.handler.new_agent(session_manager=turn.manager)(query)
        return [block["text"] for message in called.model.requests[0] for block in message["content"]]

    return ask


@pytest.fixture
def with_sessions(store):
    """Turns sessions on for a handler."""

    def enable(called):
        called.handler = replace(called.handler, sessions=store)
        return called

    return enable


@pytest.fixture
def failing():
    """Makes an error of S3."""
    return s3_error
