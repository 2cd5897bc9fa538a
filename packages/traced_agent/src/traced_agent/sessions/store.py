"""The sessions of one bucket: read a session, run one turn, write the session with one request."""

import hashlib
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from strands.session.repository_session_manager import RepositorySessionManager

from traced_agent.errors import ApiError
from traced_agent.sessions.document import SessionDocument
from traced_agent.sessions.lease import Lease, acquire
from traced_agent.settings import Settings
from traced_agent.worker_threads import DeadlineExceeded, run_with_timeout

MAX_MESSAGES = 400
"""In one session; the model is shown the latest of them (Strands' sliding window, 40)."""

MAX_BYTES = 4 * 1024 * 1024
"""Of one session's document."""

LEASE_MARGIN_S = 5.0
"""A lease ends this long after the function's deadline, if the function has died."""

T = TypeVar("T")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TimeLimits:
    """The seconds, from the start of a turn, within which S3 may be used."""

    to_read: float
    """Until then the session must be read."""
    to_write: float
    """Until then the turn must be stored; the response follows."""


@dataclass(frozen=True)
class Turn:
    """One turn of a session."""

    manager: RepositorySessionManager
    interrupts: tuple[str, ...] = ()
    """The ids of the interrupts that wait for a response."""


class SessionStore:
    """The sessions in one bucket."""

    def __init__(
        self,
        client: Any,
        bucket: str,
        *,
        clock: Callable[[], float] = time.time,
        max_messages: int = MAX_MESSAGES,
    ) -> None:
        self.client = client
        self._bucket = bucket
        self._clock = clock
        self._max_messages = max_messages

    @classmethod
    def start(
        cls, settings: Settings, session: Callable[[], boto3.Session], environ: Mapping[str, str]
    ) -> Self | None:
        """The store of the settings' bucket, with a client that has short timeouts; None without a bucket."""
        if not settings.session_bucket:
            return None
        config = Config(
            connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 2}
        )
        client = session().client("s3", region_name=environ.get("AWS_REGION"), config=config)
        return cls(client, settings.session_bucket)

    @contextmanager
    def turn(
        self, session_id: str, user_id: str | None, *, seconds: float, limits: TimeLimits | None = None
    ) -> Iterator[Turn]:
        """Run one turn of a session. It is stored when the block ends without an exception, and only then.

        Args:
            session_id: as the caller names it; each user has separate sessions.
            user_id: the session's user, if the caller names one.
            seconds: how long the turn can last; other turns are rejected so long at most.
            limits: when S3 must have answered; `seconds` without it.

        Raises:
            ApiError: `session_busy`, another turn is running; `session_full`, the session is too long;
                `internal_error`, S3 failed or did not answer in time.
        """
        started = time.monotonic()
        limits = limits or TimeLimits(seconds, seconds)

        def left(limit: float) -> float:
            return limit - (time.monotonic() - started)

        key = f"session_{_name(session_id, user_id)}"
        lease = self._acquire(key, seconds, left(limits.to_read))
        try:
            document, etag = _in_time(left(limits.to_read), lambda: self._load(key))
            yield Turn(RepositorySessionManager(key, document), tuple(document.interrupts))
            body = document.to_json()
            _in_time(left(limits.to_write), lambda: self._save(key, body, etag))
        finally:
            _release(lease, left(limits.to_write))

    def _acquire(self, key: str, seconds: float, timeout_s: float) -> Lease:
        given_up = threading.Event()

        def take() -> Lease | None:
            lease_s = seconds + LEASE_MARGIN_S
            lease = acquire(self.client, self._bucket, f"{key}/lease", lease_s, self._clock)
            if lease and given_up.is_set():
                lease.release()
            return lease

        try:
            if lease := _in_time(timeout_s, take):
                return lease
        finally:
            given_up.set()
        raise ApiError(
            "session_busy",
            "This session is still answering its last question: wait for that answer, "
            "or use another session_id",
        )

    def _load(self, key: str) -> tuple[SessionDocument, str | None]:
        """The session, and the ETag of its object; None for a new session."""
        try:
            found = self.client.get_object(**self._place(key))
        except self.client.exceptions.NoSuchKey:
            return SessionDocument(), None
        body = found["Body"].read()
        document = SessionDocument.from_json(body)
        if document.message_count > self._max_messages or len(body) > MAX_BYTES:
            raise ApiError("session_full", "This session has grown too long: use another session_id")
        return document, found["ETag"]

    def _save(self, key: str, body: bytes, etag: str | None) -> None:
        """Write the session, unless another turn has written it since it was read."""
        condition = {"IfMatch": etag} if etag else {"IfNoneMatch": "*"}
        try:
            self.client.put_object(**self._place(key), Body=body, ContentType="application/json", **condition)
        except ClientError as error:
            if error.response["Error"]["Code"] != "PreconditionFailed" or not self._holds(key, body):
                raise

    def _holds(self, key: str, body: bytes) -> bool:
        """Whether the object is what this turn wrote: its response was lost, and the SDK wrote it again."""
        return bool(self.client.get_object(**self._place(key))["Body"].read() == body)

    def _place(self, key: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": f"{key}/conversation.json"}


def turn(
    sessions: SessionStore | None,
    session_id: str | None,
    user_id: str | None,
    *,
    seconds: float,
    limits: TimeLimits,
) -> AbstractContextManager[Turn | None]:
    """One turn of the session, if sessions are on and the caller names one."""
    if sessions and session_id:
        return sessions.turn(session_id, user_id, seconds=seconds, limits=limits)
    return nullcontext()


def _release(lease: Lease, seconds: float) -> None:
    try:
        run_with_timeout(seconds, lease.release)
    except (BotoCoreError, ClientError, DeadlineExceeded) as error:
        logger.warning("a session's lease could not be released, and will expire: %r", error)


def _name(session_id: str, user_id: str | None) -> str:
    """A name that is safe in a key, whatever the ids are, and unique to them."""
    return hashlib.sha256(json.dumps([user_id, session_id]).encode()).hexdigest()


def _in_time(seconds: float, work: Callable[[], T]) -> T:
    """Use S3 for at most `seconds`; its failures become an API error."""
    try:
        if seconds <= 0:
            raise DeadlineExceeded  # noqa: TRY301 - the work must not even begin
        return run_with_timeout(seconds, work)
    except (BotoCoreError, ClientError, DeadlineExceeded) as error:
        logger.exception("the session bucket failed")
        raise ApiError(
            "internal_error", "The session could not be read or stored: send the query again"
        ) from error
