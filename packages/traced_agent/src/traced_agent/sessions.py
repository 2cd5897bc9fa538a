"""Conversations that go on: a session's messages in a bucket, written by one turn at a time.

The messages are Strands' own S3 session manager's. What is added here: a lease, so that two turns of one
session never mix; and a buffered, so that a turn without an answer leaves nothing behind.
"""

import hashlib
import io
import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Self

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from strands.session import S3SessionManager

from traced_agent.errors import ApiError
from traced_agent.settings import Settings

MOST_MESSAGES = 400
"""In one session; the model is shown the latest of them (Strands' sliding window, 40)."""

MOST_BYTES = 4 * 1024 * 1024
"""Of one session's objects together."""

_SLACK_S = 5.0
_TAKEN = ("PreconditionFailed", "ConditionalRequestConflict")

logger = logging.getLogger(__name__)


class SessionStore:
    """The sessions in one bucket."""

    def __init__(
        self,
        client: Any,
        bucket: str,
        *,
        clock: Callable[[], float] = time.time,
        most_messages: int = MOST_MESSAGES,
    ) -> None:
        self._client = client
        self._bucket = bucket
        self._clock = clock
        self._most_messages = most_messages

    @classmethod
    def start(
        cls, settings: Settings, session: Callable[[], boto3.Session], environ: Mapping[str, str]
    ) -> Self | None:
        """Those in the settings' bucket, by a client that does not wait long; None without one."""
        if not settings.session_bucket:
            return None
        patience = Config(
            connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 2}
        )
        client = session().client("s3", region_name=environ.get("AWS_REGION"), config=patience)
        return cls(client, settings.session_bucket)

    @contextmanager
    def turn(self, session_id: str, user_id: str | None, *, seconds: float) -> Iterator[S3SessionManager]:
        """One turn of a session: its conversation so far, for the agent.

        What the turn adds is kept when the block is left in good order, and only then.

        Args:
            session_id: as the caller names it; each user has sessions of their own.
            user_id: whose session it is, if the caller says.
            seconds: how long the turn can last; nobody else waits longer for it.

        Raises:
            ApiError: `session_busy`, another turn is under way; `session_full`, it has grown too long.
        """
        name = _name(session_id, user_id)
        with _reaching():
            lease = self._take(name, seconds)
        try:
            buffered = BufferedS3Client(self._client)
            with _reaching():
                manager = self._restore(name, buffered)
            yield manager
            with _reaching():
                buffered.keep()
        finally:
            self._release(name, lease)

    def _take(self, name: str, seconds: float) -> str:
        """Take the session's lease; gives its ETag."""
        until = {"Body": repr(self._clock() + seconds + _SLACK_S).encode()}
        if lease := self._put(name, until, IfNoneMatch="*"):
            return lease
        if (expired := self._expired(name)) and (lease := self._put(name, until, **expired)):
            return lease
        raise ApiError(
            "session_busy",
            "This session is still at its last question: wait for that answer, or use another session_id",
        )

    def _expired(self, name: str) -> Mapping[str, str] | None:
        """The condition to overwrite a lease whose holder never gave it back; None while it is held."""
        try:
            found = self._client.get_object(**self._lease(name))
        except self._client.exceptions.NoSuchKey:
            return {"IfNoneMatch": "*"}
        return {"IfMatch": found["ETag"]} if float(found["Body"].read()) < self._clock() else None

    def _put(self, name: str, content: Mapping[str, bytes], **condition: str) -> str | None:
        try:
            return str(self._client.put_object(**self._lease(name), **content, **condition)["ETag"])
        except self._client.exceptions.NoSuchKey:
            return None
        except ClientError as error:
            if error.response["Error"]["Code"] in _TAKEN:
                return None
            raise

    def _release(self, name: str, lease: str) -> None:
        """Give the lease back, unless it expired and is another's by now."""
        try:
            self._client.delete_object(**self._lease(name), IfMatch=lease)
        except (BotoCoreError, ClientError) as error:
            logger.warning("a session's lease was not given back, and will expire: %r", error)

    def _lease(self, name: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": f"session_{name}/lease"}

    def _restore(self, name: str, buffered: "BufferedS3Client") -> S3SessionManager:
        found = self._client.list_objects_v2(Bucket=self._bucket, Prefix=f"session_{name}/agents/")
        objects = found.get("Contents", ())
        if len(objects) > self._most_messages or sum(item["Size"] for item in objects) > MOST_BYTES:
            raise ApiError("session_full", "This session has grown too long: use another session_id")
        manager = S3SessionManager(name, self._bucket, boto_session=buffered)
        if buffered.empty:
            # Written anew with every turn, the session's head expires with its last message, not its first.
            head = json.dumps(manager.session.to_dict()).encode()
            buffered.put_object(Bucket=self._bucket, Key=f"session_{name}/session.json", Body=head)
        elif objects:
            # The head is new: these messages outlived another conversation, which has expired.
            left = [{"Key": item["Key"]} for item in objects]
            self._client.delete_objects(Bucket=self._bucket, Delete={"Objects": left})
        return manager


def turn(
    sessions: SessionStore | None, session_id: str | None, user_id: str | None, *, seconds: float
) -> AbstractContextManager[S3SessionManager | None]:
    """One turn of the session, where there are sessions and the caller names one; else of none."""
    if sessions and session_id:
        return sessions.turn(session_id, user_id, seconds=seconds)
    return nullcontext()


class BufferedS3Client:
    """Stands between Strands and S3 for one turn: reads pass through, writes are held until `keep`.

    An abandoned run that writes on, writes into its buffered.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._held: dict[str, dict[str, Any]] = {}
        self.get_paginator = client.get_paginator

    @property
    def empty(self) -> bool:
        """Whether nothing is held."""
        return not self._held

    def client(self, **_wanted: Any) -> Self:
        """What Strands asks a boto3 session for."""
        return self

    def put_object(self, **request: Any) -> None:
        """Hold an object."""
        self._held[request["Key"]] = request

    def get_object(self, **request: Any) -> Any:
        """Read an object, the held one if there is one."""
        held = self._held.get(request["Key"])
        return {"Body": io.BytesIO(held["Body"])} if held else self._client.get_object(**request)

    def head_object(self, **request: Any) -> Any:
        """Ask whether an object is there."""
        return self._client.head_object(**request)

    def keep(self) -> None:
        """Write what is held. If a message cannot be written, none of the turn is left."""
        messages = [held for held in self._held.values() if "/messages/" in held["Key"]]
        others = [held for held in self._held.values() if held not in messages]
        try:
            _at_once(self._put, messages)
            for held in others:
                self._put(held)
        except (BotoCoreError, ClientError):
            _at_once(self._drop, messages)
            raise

    def _put(self, request: Mapping[str, Any]) -> None:
        self._client.put_object(**request)

    def _drop(self, request: Mapping[str, Any]) -> None:
        self._client.delete_object(Bucket=request["Bucket"], Key=request["Key"])


def _at_once(send: Callable[[Mapping[str, Any]], None], requests: Sequence[Mapping[str, Any]]) -> None:
    """One wait for a slow bucket, not one for each request."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(send, requests))


def _name(session_id: str, user_id: str | None) -> str:
    """A name that is safe in a key, whatever the ids are, and no other pair's."""
    return hashlib.sha256(json.dumps([user_id, session_id]).encode()).hexdigest()


@contextmanager
def _reaching() -> Iterator[None]:
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        logger.exception("the sessions' bucket failed")
        raise ApiError("internal_error", "The session could not be read or kept: try again") from error
