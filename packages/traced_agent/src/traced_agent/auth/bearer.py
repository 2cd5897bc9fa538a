"""Verifies the bearer token of a request: an OpenID Connect access or id token of one issuer.

Sources: RFC 6750 (bearer tokens), RFC 7519 (JSON Web Token), RFC 8725 (its best current practices);
https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-tokens-verifying-a-jwt.html.
"""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NoReturn, Self

import jwt

from traced_agent.auth.issuer_keys import IssuerError, IssuerKeys
from traced_agent.errors import ApiError
from traced_agent.settings import Settings

ALGORITHMS: Final = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)
"""Asymmetric ones only: with a symmetric one, anyone who has the public key could sign."""

LEEWAY_S: Final = 60
"""For `nbf` and `iat`: the issuer's clock may be ahead of ours."""

MAX_LENGTH: Final = 16_384
"""Characters of a token."""

_HEADERS: Final = {"www-authenticate": 'Bearer error="invalid_token"'}
_TOKEN: Final = re.compile(r"(?i:bearer) +([A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+)")
_SUBJECT: Final = re.compile(r"[ -~]{1,200}")
"""The ids of users that Langfuse accepts."""


class Authenticator:
    """Verifies the tokens of one issuer for a set of audiences."""

    def __init__(
        self, audiences: Sequence[str], issuer: str, keys: IssuerKeys, clock: Callable[[], float] = time.time
    ) -> None:
        self._audiences = tuple(audiences)
        self._issuer = issuer
        self._keys = keys
        self._clock = clock

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """The authenticator of the issuer and the audiences in the settings."""
        audiences = [name.strip() for name in settings.jwt_audience.split(",") if name.strip()]
        return cls(audiences, settings.jwt_issuer, IssuerKeys(settings.jwt_issuer))

    def authenticate(self, headers: Mapping[str, str]) -> str:
        """Verify the token in the Authorization header.

        Args:
            headers: of the request, with lower-case names.

        Returns:
            The token's subject: the id of the user who calls, 200 printable ASCII characters at most.

        Raises:
            ApiError: `unauthorized`; the message says what is wrong with the token.
        """
        token = _token(headers.get("authorization", ""))
        key, algorithm = self._key(token)
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                issuer=self._issuer,
                leeway=LEEWAY_S,
                options={"require": ["exp", "iss", "sub"], "verify_aud": False, "verify_exp": False},
            )
        except jwt.PyJWTError as error:
            _reject(_reason(error))
        except (ValueError, TypeError, OverflowError, RecursionError):
            _reject("its claims cannot be read")
        self._check_expiry(claims["exp"])
        self._check_audience(claims)
        if claims.get("token_use", "access") not in ("access", "id"):
            _reject("it is neither an access token nor an id token")
        if not _SUBJECT.fullmatch(claims["sub"]):
            _reject("its subject is longer than 200 characters or not printable ASCII")
        return str(claims["sub"])

    def _key(self, token: str) -> tuple[jwt.PyJWK, str]:
        try:
            header = jwt.get_unverified_header(token)
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
            _reject("its header cannot be read")
        algorithm, key_id = header.get("alg"), header.get("kid")
        if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
            _reject("its algorithm is not allowed: use RS256, ES256 or EdDSA")
        try:
            key = self._keys.find(key_id, algorithm)
        except IssuerError:
            _reject("the issuer's keys cannot be fetched at the moment: try again later")
        if key is None:
            _reject("it is signed with a key that its issuer does not publish")
        return key, algorithm

    def _check_expiry(self, expires: Any) -> None:
        if isinstance(expires, bool) or not isinstance(expires, int | float):
            _reject("its exp is not a number")
        if expires <= self._clock():
            _reject("it has expired: get a new one")

    def _check_audience(self, claims: Mapping[str, Any]) -> None:
        """The audience must be ours; Cognito's access tokens have none, but a `client_id`."""
        given = claims["aud"] if "aud" in claims else claims.get("client_id")
        given = [given] if isinstance(given, str) else given
        if not isinstance(given, list) or not set(self._audiences) & {
            name for name in given if isinstance(name, str)
        }:
            _reject("it is for another audience")


def _token(authorization: str) -> str:
    if not authorization:
        _reject("the request has none: send the header Authorization: Bearer TOKEN", "A token is required")
    if len(authorization) > MAX_LENGTH:
        _reject(f"it is longer than {MAX_LENGTH} characters")
    found = _TOKEN.fullmatch(authorization.strip())
    if not found:
        _reject("send one header, Authorization: Bearer TOKEN, with a JSON Web Token")
    return found[1]


_REASONS: tuple[tuple[type[jwt.PyJWTError], str], ...] = (
    (jwt.ImmatureSignatureError, "it is not valid yet"),
    (jwt.InvalidIssuerError, "it is from another issuer"),
    (jwt.InvalidSignatureError, "its signature does not match"),
    (jwt.InvalidAlgorithmError, "its algorithm is not the one of its key"),
    (jwt.exceptions.InvalidSubjectError, "its sub is not a string"),
)


def _reason(error: jwt.PyJWTError) -> str:
    if isinstance(error, jwt.MissingRequiredClaimError):
        return f"it has no {error.claim}"
    return next((reason for kind, reason in _REASONS if isinstance(error, kind)), "it cannot be verified")


def _reject(reason: str, what: str = "The token is not accepted") -> NoReturn:
    raise ApiError("unauthorized", f"{what}: {reason}", headers=_HEADERS)
