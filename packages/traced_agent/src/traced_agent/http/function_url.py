"""Lambda's Function URL events and our Request and Response, either way; pure.

Source: https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html (payload format 2.0).
"""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from traced_agent.errors import ApiError

BODY_LIMIT = 6 * 1024 * 1024
"""Bytes; Lambda takes no more in a synchronous invocation."""


@dataclass(frozen=True)
class Request:
    """One HTTP request; the headers' names are in lower case, the body is decoded."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Response:
    """One HTTP response with a text body."""

    status: int
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def json(cls, status: int, content: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Self:
        """A response whose body is a JSON object; half a surrogate pair becomes a question mark."""
        body = json.dumps(content, ensure_ascii=False).encode(errors="replace").decode()
        return cls(status, body, {"content-type": "application/json", **(headers or {})})


def parse(event: Any) -> Request:
    """Read a Function URL event, or a bare body as `aws lambda invoke` sends it.

    Raises:
        ApiError: the event cannot be read, or its body is over `BODY_LIMIT`.
    """
    if not isinstance(event, dict):
        raise ApiError("invalid_request", 'The event must be a JSON object: send {"query": "…"}')
    http = _object(_object(event.get("requestContext")).get("http"))
    request = _from_url(event, http) if http else Request("POST", "/", body=_spelled(event))
    if len(request.body) > BODY_LIMIT:
        raise ApiError("too_large", f"The body is over {BODY_LIMIT} bytes: send a shorter one")
    return request


def to_event(response: Response) -> dict[str, Any]:
    """Spell a response as Lambda takes it."""
    return {
        "statusCode": response.status,
        "headers": {"cache-control": "no-store", **response.headers},
        "body": response.body,
        "isBase64Encoded": False,
    }


def _from_url(event: dict[str, Any], http: dict[str, Any]) -> Request:
    return Request(
        method=str(http.get("method", "")).upper(),
        path=str(event.get("rawPath") or http.get("path") or "/"),
        headers={
            str(name).lower(): value
            for name, value in _object(event.get("headers")).items()
            if isinstance(value, str)
        },
        body=_decoded(event.get("body") or "", is_base64=event.get("isBase64Encoded") is True),
    )


def _decoded(body: Any, *, is_base64: bool) -> bytes:
    if not isinstance(body, str):
        raise ApiError("invalid_request", "The event's body must be a string")
    raw = body.encode(errors="surrogatepass")
    if not is_base64:
        return raw
    try:
        return base64.b64decode(raw, validate=True)
    except binascii.Error:
        raise ApiError("invalid_request", "The event says that its body is base64, and it is not") from None


def _spelled(event: dict[str, Any]) -> bytes:
    try:
        return json.dumps(event).encode()
    except (RecursionError, TypeError, ValueError):
        raise ApiError("invalid_json", "The event is not JSON, or nested too deeply") from None


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
