"""Verifies AWS Signature Version 4, for a Function URL with AuthType AWS_IAM.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import datetime as dt
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

ALGORITHM = "AWS4-HMAC-SHA256"
TOLERANCE = dt.timedelta(minutes=5)
_DATE = "%Y%m%dT%H%M%SZ"
_AUTHORIZATION = re.compile(
    rf"{ALGORITHM} Credential=([^/,]+)/(\d{{8}}/[^/,]+/[^/,]+/aws4_request),\s*"
    r"SignedHeaders=([^,]+),\s*Signature=([0-9a-f]{64})"
)


class Refused(Exception):  # noqa: N818 - AWS's answer, not an error of the code
    """The request is not signed as it must be: AWS's error type and words."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True)
class Credentials:
    """A key pair that is known."""

    access_key: str
    secret_key: str


@dataclass(frozen=True)
class Request:
    """What is signed: as it came over the wire, header names in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


def verify(request: Request, known: Credentials, region: str, now: dt.datetime) -> str:
    """Check a request's signature; returns the access key.

    Raises:
        Refused: it is not signed, or wrongly, or too long ago.
    """
    if not (authorization := request.headers.get("authorization")):
        raise Refused("MissingAuthenticationTokenException", "Missing Authentication Token")
    if not (match := _AUTHORIZATION.fullmatch(authorization)):
        raise Refused("IncompleteSignatureException", "Authorization header is not Signature Version 4")
    access_key, scope, names, signature = match.groups()
    if access_key != known.access_key:
        raise Refused("UnrecognizedClientException", "The security token included in the request is invalid.")
    stamp = request.headers.get("x-amz-date", "")
    _check_scope(scope, stamp, region)
    _check_age(stamp, now)
    text = "\n".join([ALGORITHM, stamp, scope, _digest(_canonical(request, names.split(";")))])
    if not hmac.compare_digest(_sign(text, scope, known.secret_key), signature):
        raise Refused(
            "InvalidSignatureException",
            "The request signature we calculated does not match the signature you provided. "
            "Check your AWS Secret Access Key and signing method.",
        )
    return access_key


def _check_scope(scope: str, stamp: str, region: str) -> None:
    expected = f"{stamp[:8]}/{region}/lambda/aws4_request"
    if scope != expected:
        message = f"Credential should be scoped to {expected}, not {scope}."
        raise Refused("InvalidSignatureException", message)


def _check_age(stamp: str, now: dt.datetime) -> None:
    try:
        signed = dt.datetime.strptime(stamp, _DATE).replace(tzinfo=dt.UTC)
    except ValueError:
        raise Refused("IncompleteSignatureException", "X-Amz-Date is missing or is no date") from None
    if abs(now - signed) > TOLERANCE:
        late = f"Signature expired: {stamp} is now earlier than {(now - TOLERANCE).strftime(_DATE)}"
        raise Refused("InvalidSignatureException", late)


def _canonical(request: Request, names: list[str]) -> str:
    """What both sides hash; a header that must be signed and is not gives another text than the client's."""
    parameters = [part if "=" in part else f"{part}=" for part in request.query.split("&") if part]
    signed = sorted({*names, "host", "x-amz-date"})
    return "\n".join(
        [
            request.method,
            quote(request.path or "/", safe="/~"),
            "&".join(sorted(parameters)),
            *(f"{name}:{' '.join(request.headers.get(name, '').split())}" for name in signed),
            "",
            ";".join(signed),
            _digest(request.body),
        ]
    )


def _sign(text: str, scope: str, secret: str) -> str:
    key = f"AWS4{secret}".encode()
    for part in [*scope.split("/"), text]:
        key = hmac.digest(key, part.encode(), "sha256")
    return key.hex()


def _digest(data: bytes | str) -> str:
    return hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest()
