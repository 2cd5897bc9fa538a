"""A lease on a session: an object that only one turn at a time can write."""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

_TAKEN = ("PreconditionFailed", "ConditionalRequestConflict")
"""S3's errors for a conditional write whose condition is not met."""


@dataclass(frozen=True)
class Lease:
    """A lease that this turn holds."""

    client: Any
    place: Mapping[str, str]
    """Bucket and key."""
    etag: str

    def release(self) -> None:
        """Delete the lease, unless it has expired and belongs to another turn by now."""
        self.client.delete_object(**self.place, IfMatch=self.etag)


def acquire(client: Any, bucket: str, key: str, seconds: float, clock: Callable[[], float]) -> Lease | None:
    """Take the lease for `seconds`; returns None while another turn holds it.

    A nonce identifies this turn. When the response to a write is lost, the SDK sends the write again, and S3
    rejects it because the first one succeeded. The nonce then shows that the lease is our own.
    """
    place = {"Bucket": bucket, "Key": key}
    nonce = os.urandom(16).hex()
    body = json.dumps({"until": clock() + seconds, "nonce": nonce}).encode()
    condition: Mapping[str, str] | None = {"IfNoneMatch": "*"}
    for _ in range(2):
        if condition is None:
            return None
        if etag := _put(client, place, body, condition):
            return Lease(client, place, etag)
        condition, own = _read(client, place, nonce, clock())
        if own:
            return Lease(client, place, own)
    return None


def _put(client: Any, place: Mapping[str, str], body: bytes, condition: Mapping[str, str]) -> str | None:
    """The ETag of the new lease; None if the condition is not met."""
    try:
        return str(client.put_object(**place, Body=body, **condition)["ETag"])
    except ClientError as error:
        if error.response["Error"]["Code"] in (*_TAKEN, "NoSuchKey"):
            return None
        raise


def _read(
    client: Any, place: Mapping[str, str], nonce: str, now: float
) -> tuple[Mapping[str, str] | None, str | None]:
    """The condition under which the lease can be taken, if any, and its ETag if it is our own."""
    try:
        found = client.get_object(**place)
    except client.exceptions.NoSuchKey:
        return {"IfNoneMatch": "*"}, None
    until, holder = _parse(found["Body"].read())
    if holder == nonce:
        return None, found["ETag"]
    return ({"IfMatch": found["ETag"]} if until < now else None), None


def _parse(body: bytes) -> tuple[float, str]:
    """When a lease ends, and its nonce; a lease that cannot be read has ended."""
    try:
        lease = json.loads(body)
        return float(lease["until"]), str(lease["nonce"])
    except (ValueError, TypeError, KeyError):
        return 0.0, ""
