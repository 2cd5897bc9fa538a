"""Signs files of the cache with a key that is kept outside of it, as a cache may be shared or restored.

A wheel has a hash in the lock; what was compiled from it has none, and neither has the result of a check.
Without the signature, a user who can write to the cache could add bytecode that is not compiled from the
wheel's source.
"""

import contextlib
import functools
import hmac
import secrets

from tools import cache
from tools.command import Failure

_KEY_FILE = cache.STATE / "compiled-wheels.key"
_TAG_BYTES = 32


def sign(name: str, data: bytes) -> bytes:
    """The data with its signature, for the file of this name."""
    return _tag(name, data) + data


def verified(name: str, kept: bytes | None) -> bytes | None:
    """The data of a signed file; None if the file is damaged, of another name or not this user's."""
    if kept and hmac.compare_digest(_tag(name, kept[_TAG_BYTES:]), kept[:_TAG_BYTES]):
        return kept[_TAG_BYTES:]
    return None


def _tag(name: str, data: bytes) -> bytes:
    return hmac.digest(_key(), name.encode() + data, "sha256")


@functools.cache
def _key() -> bytes:
    key = cache.read(_KEY_FILE) or b""
    if len(key) != _TAG_BYTES:
        key = secrets.token_bytes(_TAG_BYTES)
        with contextlib.suppress(Failure, OSError):  # then what is kept now is made again next time
            cache.write(_KEY_FILE, key, mode=0o600)
    return key
