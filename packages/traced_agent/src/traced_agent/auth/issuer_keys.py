"""The signing keys of an OpenID Connect issuer: discovered, fetched with a time limit, and cached for hours.

Only addresses below the configured issuer's discovery document are fetched, never one that a token names.
Sources: https://openid.net/specs/openid-connect-discovery-1_0.html, RFC 7517 (JSON Web Key).
"""

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import jwt
import urllib3

from traced_agent.worker_threads import DeadlineExceeded, run_with_timeout

logger = logging.getLogger(__name__)

FETCH_TIMEOUT_S: Final = 5.0
"""For both requests together: discovery and keys."""

MAX_AGE_S: Final = 6 * 3600
"""After so long the keys are fetched again, so that a key that the issuer removed stops being valid."""

RETRY_S: Final = 60
"""At most one fetch in so many seconds, whatever tokens arrive."""

_MAX_BYTES: Final = 1_000_000
_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")

Fetch = Callable[[str], bytes]
"""Fetches an address; raises an exception if it does not answer 200 within the time limit."""


class IssuerError(Exception):
    """The issuer's keys cannot be fetched; the message says why."""


class IssuerKeys:
    """The keys of one issuer, shared by all requests of the execution environment."""

    def __init__(
        self,
        issuer: str,
        *,
        fetch: Fetch | None = None,
        clock: Callable[[], float] = time.time,
        timeout_s: float = FETCH_TIMEOUT_S,
    ) -> None:
        """Prepare for an issuer; nothing is fetched before the first token.

        Args:
            issuer: its URL, as its tokens name it in `iss`.
            fetch: replaces the HTTP client.
            clock: seconds since the epoch; it continues over a freeze and a snapshot restore.
            timeout_s: for discovery and keys together.
        """
        self._issuer = issuer
        self._fetch = fetch or _get
        self._clock = clock
        self._timeout_s = timeout_s
        self._keys: list[Mapping[str, Any]] = []
        self._fetched = self._tried = float("-inf")
        self._lock = threading.Lock()

    def find(self, key_id: str | None, algorithm: str) -> jwt.PyJWK | None:
        """The key with this id, for this algorithm; None if the issuer has no such key.

        Keys are fetched when there are none, when they are old, and when the id is unknown, at most once in
        `RETRY_S`. While the issuer cannot be reached, the keys that are known remain valid.

        Raises:
            IssuerError: no key is known and none can be fetched.
        """
        with self._lock:
            if not self._keys or self._clock() - self._fetched > MAX_AGE_S:
                self._refresh()
            key = self._known(key_id, algorithm)
            if key is None and self._refresh():
                key = self._known(key_id, algorithm)
            if not self._keys:
                raise IssuerError(
                    f"the keys of {self._issuer} cannot be fetched: the function's log says why"
                )
            return key

    def _known(self, key_id: str | None, algorithm: str) -> jwt.PyJWK | None:
        matching = [key for key in self._keys if key_id is None or key.get("kid") == key_id]
        usable = list(filter(None, (_usable(key, algorithm) for key in matching)))
        # A token without a key id is accepted only if there is no choice.
        return usable[0] if usable and (key_id is not None or len(usable) == 1) else None

    def _refresh(self) -> bool:
        """Fetch the keys again, unless that was tried a moment ago; whether they were fetched."""
        if self._clock() - self._tried < RETRY_S:
            return False
        self._tried = self._clock()
        try:
            self._keys = run_with_timeout(self._timeout_s, self._discover)
        except DeadlineExceeded:
            logger.error("the keys of %s cannot be fetched: no answer in %s s", self._issuer, self._timeout_s)  # noqa: TRY400
            return False
        except Exception as error:  # noqa: BLE001 - whatever the issuer answers
            logger.error("the keys of %s cannot be fetched: %s", self._issuer, error)  # noqa: TRY400
            return False
        self._fetched = self._tried
        return True

    def _discover(self) -> list[Mapping[str, Any]]:
        document = _json(self._fetch(self._issuer.rstrip("/") + "/.well-known/openid-configuration"))
        if document.get("issuer") != self._issuer:
            raise IssuerError(f"its discovery document names another issuer, {document.get('issuer')!r}")
        address = document.get("jwks_uri")
        if not isinstance(address, str) or not _is_safe(address):
            raise IssuerError("its jwks_uri is not an https address")
        keys = _json(self._fetch(address)).get("keys")
        signing: list[Mapping[str, Any]] = [
            key
            for key in (keys if isinstance(keys, list) else [])
            if isinstance(key, dict) and key.get("use", "sig") == "sig"
        ]
        if not signing:
            raise IssuerError("its key set has no signing keys")
        return signing


def _usable(key: Mapping[str, Any], algorithm: str) -> jwt.PyJWK | None:
    if key.get("alg", algorithm) != algorithm:
        return None
    try:
        return jwt.PyJWK(dict(key), algorithm)
    except (jwt.PyJWTError, ValueError, TypeError):  # of another type, or damaged
        return None


def _json(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise IssuerError("it answered something other than a JSON object")
    return value


def _is_safe(address: str) -> bool:
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)


def _get(address: str) -> bytes:
    """Fetch an address: no redirects, no retries, a limited body."""
    timeout = urllib3.Timeout(connect=2, read=3)
    with urllib3.PoolManager(timeout=timeout, retries=False) as client:
        response = client.request("GET", address, redirect=False, preload_content=False)
        try:
            data = response.read(_MAX_BYTES + 1)
        finally:
            response.close()
    if response.status != 200:
        raise IssuerError(f"it answered {response.status}")
    if len(data) > _MAX_BYTES:
        raise IssuerError(f"it answered more than {_MAX_BYTES} bytes")
    return data
