"""Converts Lambda's Function URL events to `Request`, and `Response` to Lambda's format.

Source: https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html (payload format 2.0).
"""

import base64
import binascii
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from traced_agent.errors import ApiError
from traced_agent.text import replace_surrogates

BODY_LIMIT = 256 * 1024
"""Bytes of a decoded body. Valid requests are smaller, and parsing 6 MB of JSON can need 256 MB of memory."""

_GZIP = b"\x1f\x8b"
"""The first bytes of gzip data, which no JSON begins with."""


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
        body = replace_surrogates(json.dumps(content, ensure_ascii=False))
        return cls(status, body, {"content-type": "application/json", **(headers or {})})


class EventSourceError(Exception):
    """The event is from a service that receives no response; raised again so that Lambda counts a failure."""


def reject_event_source(event: Any) -> None:
    """Fail for events of services that receive no response, which are not requests.

    An error response would count as a success: the invocation must fail, so that the service tries again or
    uses its dead-letter queue.

    Raises:
        EventSourceError: names the service.
    """
    if source := _event_source(_object(event)):
        raise EventSourceError(
            f"events of {source[:50]} cannot be answered: send the query to the Function URL, or invoke "
            'the function with {"query": "..."}'
        )


_BY_NAMES = {
    "EventBridge": {"detail-type", "source", "detail"},
    "CloudWatch Logs": {"awslogs"},
    "Amazon Data Firehose": {"deliveryStreamArn", "records"},
}
"""The services whose events have these names; other services have an event source."""


def _event_source(event: dict[str, Any]) -> str:
    """The service that an event is from; empty if it may be a request. Kafka and MQ have no `Records`."""
    records = event.get("Records")
    record = _object(records[0]) if isinstance(records, list) and records else {}
    if source := record.get("eventSource") or record.get("EventSource") or event.get("eventSource"):
        return str(source)
    return next((service for service, names in _BY_NAMES.items() if names <= event.keys()), "")


def is_url_event(event: Any) -> bool:
    """Whether this is a Function URL's event, and not a bare body, as `aws lambda invoke` sends it."""
    return isinstance(event, dict) and bool(_object(_object(event.get("requestContext")).get("http")))


def parse(event: Any) -> Request:
    """Read a Function URL event, or a bare body as `aws lambda invoke` sends it.

    Raises:
        ApiError: the event cannot be read, or its body is over `BODY_LIMIT`.
    """
    if not isinstance(event, dict):
        raise ApiError("invalid_request", 'The event must be a JSON object: send {"query": "…"}')
    if is_url_event(event):
        return _from_url(event, event["requestContext"]["http"])
    return Request("POST", "/", body=_limited(_encoded(event)))


def to_event(response: Response) -> dict[str, Any]:
    """The response in payload format 2.0."""
    return {
        "statusCode": response.status,
        "headers": {"cache-control": "no-store", **response.headers},
        "body": response.body,
        "isBase64Encoded": False,
    }


def _from_url(event: dict[str, Any], http: dict[str, Any]) -> Request:
    headers = {
        str(name).lower(): value
        for name, value in _object(event.get("headers")).items()
        if isinstance(value, str)
    }
    body = _decoded(event.get("body") or "", is_base64=event.get("isBase64Encoded") is True)
    return Request(
        method=str(http.get("method", "")).upper(),
        path=str(event.get("rawPath") or http.get("path") or "/"),
        headers=headers,
        body=_decompressed(_limited(body), headers.get("content-encoding", "")),
    )


def _limited(body: bytes) -> bytes:
    if len(body) > BODY_LIMIT:
        raise ApiError("too_large", f"The body is over {BODY_LIMIT // 1024} KB: send a shorter one")
    return body


def _decompressed(body: bytes, encoding: str) -> bytes:
    """The body without its Content-Encoding; a body that is not gzip, as some proxies send it, stays."""
    if encoding.strip().lower() not in ("", "identity", "gzip", "x-gzip"):
        raise ApiError("unsupported_media_type", "The body's Content-Encoding must be gzip, or none")
    if not body.startswith(_GZIP):
        return body
    try:
        decompressor = zlib.decompressobj(16 + zlib.MAX_WBITS)
        plain = decompressor.decompress(body, BODY_LIMIT + 1)
    except zlib.error:
        raise ApiError("invalid_request", "The gzip body is damaged") from None
    if not decompressor.eof and len(plain) <= BODY_LIMIT:
        raise ApiError("invalid_request", "The gzip body is incomplete")
    return _limited(plain)


def _decoded(body: Any, *, is_base64: bool) -> bytes:
    if not isinstance(body, str):
        raise ApiError("invalid_request", "The event's body must be a string")
    raw = body.encode(errors="surrogatepass")
    if not is_base64:
        return raw
    try:
        return base64.b64decode(raw, validate=True)
    except binascii.Error:
        raise ApiError("invalid_request", "The event's body is not base64, as isBase64Encoded says") from None


def _encoded(event: dict[str, Any]) -> bytes:
    try:
        return json.dumps(event).encode()
    except (RecursionError, TypeError, ValueError):
        raise ApiError("invalid_json", "The event is not JSON, or nested too deeply") from None


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
