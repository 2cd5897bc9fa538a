"""Verifies AWS Signature Version 4, for a Function URL with AuthType AWS_IAM.

botocore computes the signature that the request should have. Only the claims of a request are read here,
because no library verifies signatures.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import datetime as dt
import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials

ALGORITHM = "AWS4-HMAC-SHA256"
TOLERANCE = dt.timedelta(minutes=5)
"""How far the clock of a caller may be from AWS's."""

MAX_EXPIRES_S = 604_800
"""The longest that a presigned URL is valid, in seconds."""

_DATE = "%Y%m%dT%H%M%SZ"
_SIGNATURE = "X-Amz-Signature"
_AUTHORIZATION = re.compile(
    rf"{ALGORITHM}\s+Credential=([^/,]+)/(\d{{8}}/[^/,]+/[^/,]+/aws4_request),\s*"
    r"SignedHeaders=([^,]+),\s*Signature=([0-9a-f]{64})"
)


class InvalidSignature(Exception):  # noqa: N818 - AWS's answer, not an error of the code
    """The request is not signed as required; `kind` is AWS's error type, the text its message."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True)
class SignedRequest:
    """What was signed: as it came over the wire, header names in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class _Claim:
    """What a request says about its signature."""

    access_key: str
    scope: str
    signed_headers: tuple[str, ...]
    signature: str
    date: str
    validity: dt.timedelta
    """How long after its date it is accepted."""
    query: str
    """The query without the signature."""
    presigned: bool


def verify(request: SignedRequest, known: Credentials, region: str, now: dt.datetime) -> str:
    """Check a request's signature; returns the access key.

    Raises:
        InvalidSignature: it is not signed, or wrongly, or it has expired.
    """
    claim = _claim(request)
    if claim.access_key != known.access_key:
        raise InvalidSignature(
            "UnrecognizedClientException", "The security token included in the request is invalid."
        )
    _check_scope(claim, region)
    _check_date(claim, now)
    if not any(hmac.compare_digest(found, claim.signature) for found in _signatures(request, claim, known)):
        raise InvalidSignature(
            "InvalidSignatureException",
            "The request signature we calculated does not match the signature you provided. "
            "Check your AWS Secret Access Key and signing method.",
        )
    return claim.access_key


def _claim(request: SignedRequest) -> _Claim:
    """Read the claim from the Authorization header, or from the query of a presigned URL."""
    given = dict(parse_qsl(request.query, keep_blank_values=True))
    date, query, validity = request.headers.get("x-amz-date", ""), request.query, TOLERANCE
    authorization = request.headers.get("authorization", "")
    if presigned := not authorization and _SIGNATURE in given:
        authorization = (
            f"{given.get('X-Amz-Algorithm')} Credential={given.get('X-Amz-Credential')}, "
            f"SignedHeaders={given.get('X-Amz-SignedHeaders')}, Signature={given[_SIGNATURE]}"
        )
        date, validity = given.get("X-Amz-Date", ""), _expiry(given.get("X-Amz-Expires", ""))
        query = "&".join(part for part in request.query.split("&") if not part.startswith(f"{_SIGNATURE}="))
    if not authorization:
        raise InvalidSignature("MissingAuthenticationTokenException", "Missing Authentication Token")
    if not (match := _AUTHORIZATION.fullmatch(authorization.strip())):
        raise InvalidSignature(
            "IncompleteSignatureException", "The authorization is not of AWS Signature Version 4"
        )
    access_key, scope, names, signature = match.groups()
    return _Claim(access_key, scope, tuple(names.split(";")), signature, date, validity, query, presigned)


def _expiry(seconds: str) -> dt.timedelta:
    if not seconds.isdecimal() or not 1 <= int(seconds) <= MAX_EXPIRES_S:
        raise InvalidSignature(
            "IncompleteSignatureException", f"X-Amz-Expires must be between 1 and {MAX_EXPIRES_S} seconds"
        )
    return dt.timedelta(seconds=int(seconds))


def _check_scope(claim: _Claim, region: str) -> None:
    expected = f"{claim.date[:8]}/{region}/lambda/aws4_request"
    if claim.scope != expected:
        message = f"Credential should be scoped to {expected}, not {claim.scope}."
        raise InvalidSignature("InvalidSignatureException", message)


def _check_date(claim: _Claim, now: dt.datetime) -> None:
    try:
        signed = dt.datetime.strptime(claim.date, _DATE).replace(tzinfo=dt.UTC)
    except ValueError:
        raise InvalidSignature(
            "IncompleteSignatureException", "X-Amz-Date is missing or is not a date"
        ) from None
    if not now - claim.validity <= signed <= now + TOLERANCE:
        oldest = (now - claim.validity).strftime(_DATE)
        message = f"Signature expired: {claim.date} is now earlier than {oldest}"
        raise InvalidSignature("InvalidSignatureException", message)


class _Signer(SigV4Auth):  # type: ignore[misc]
    """botocore's signer, for the headers that the caller chose to sign."""

    def headers_to_sign(self, request: Any) -> HTTPHeaders:
        """All headers of the request: `_signatures` gives it no others."""
        return request.headers


def _signatures(request: SignedRequest, claim: _Claim, known: Credentials) -> Iterator[str]:
    """The signatures that are right for this request.

    There are two, because clients differ for a query that is not percent-encoded as the specification wants:
    botocore signs it as it is, most others as the specification encodes it. AWS accepts the latter.
    """
    signer = _Signer(known, "lambda", claim.scope.split("/")[1])
    # A header that must be signed and is not gives another canonical request than the caller's.
    required = {"host"} if claim.presigned else {"host", "x-amz-date"}
    headers = {name: request.headers.get(name, "") for name in {*claim.signed_headers, *required}}
    url, pairs = f"http://host{request.path}", parse_qsl(claim.query, keep_blank_values=True)
    for query in ({"url": url, "params": pairs}, {"url": f"{url}?{claim.query}"}):
        signed = AWSRequest(request.method, headers=headers, data=request.body, **query)
        signed.context["timestamp"] = claim.date
        canonical = signer.canonical_request(signed)
        if canonical.rpartition("\n")[2] == hashlib.sha256(request.body).hexdigest():
            yield str(signer.signature(signer.string_to_sign(signed, canonical), signed))
