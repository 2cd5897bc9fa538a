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
    if not request.headers.get("authorization"):
        raise Refused("MissingAuthenticationTokenException", "Missing Authentication Token")
    if not (match := _AUTHORIZATION.fullmatch(request.headers["authorization"])):
        raise Refused("IncompleteSignatureException", "Authorization header is not Signature Version 4")
    access_key, scope, names, signature = match.groups()
    if access_key != known.access_key:
        message = "The security token included in the request is invalid."
        raise Refused("UnrecognizedClientException", message)
    stamp = request.headers.get("x-amz-date", "")
    _check_scope(scope, stamp, region)
    _check_age(stamp, now)
    if not _signs(request, names.split(";"), scope, stamp, known.secret_key, signature):
        raise Refused(
            "InvalidSignatureException",
            "The request signature we calculated does not match the signature you provided. "
            "Check your AWS Secret Access Key and signing method.",
        )
    return access_key


def _check_scope(scope: str, stamp: str, region: str) -> None:
    date, given_region, service, _ = scope.split("/")
    if (given_region, service) != (region, "lambda") or date != stamp[:8]:
        expected = f"Credential should be scoped to {stamp[:8]}/{region}/lambda, not {date}/{given_region}/{service}."
        raise Refused("InvalidSignatureException", expected)


def _check_age(stamp: str, now: dt.datetime) -> None:
    try:
        signed = dt.datetime.strptime(stamp, _DATE).replace(tzinfo=dt.UTC)
    except ValueError:
        raise Refused("IncompleteSignatureException", "X-Amz-Date is missing or is no date") from None
    if abs(now - signed) > TOLERANCE:
        late = f"Signature expired: {stamp} is now earlier than {(now - TOLERANCE).strftime(_DATE)}"
        raise Refused("InvalidSignatureException", late)


def _signs(request: Request, names: list[str], scope: str, stamp: str, secret: str, signature: str) -> bool:
    digest = hashlib.sha256(request.body).hexdigest()
    if "host" not in names or request.headers.get("x-amz-content-sha256", digest) != digest:
        return False
    headers = "".join(f"{name}:{' '.join(request.headers.get(name, '').split())}\n" for name in names)
    canonical = "\n".join(
        [
            request.method,
            quote(request.path or "/", safe="/~"),
            "&".join(
                sorted(part if "=" in part else f"{part}=" for part in request.query.split("&") if part)
            ),
            headers,
            ";".join(names),
            digest,
        ]
    )
    text = "\n".join([ALGORITHM, stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{secret}".encode()
    for part in [*scope.split("/"), text]:
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.compare_digest(key.hex(), signature)
