"""Payload format 2.0: HTTP to the function's event, and the function's response to HTTP.

https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
"""

import base64
import binascii
import json
import re
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl

from tools.local.http.exchange import HttpExchange
from tools.local.runtime.function import Function

INTEGRATION = "application/vnd.awslambda.http-integration-response"
"""The content type of a response that begins with status and headers in JSON, then eight NUL bytes."""

_END_OF_PRELUDE = b"\0" * 8
_TEXT = re.compile(r"(text/.*|application/(.*\+)?(json|xml|javascript))\s*(;.*)?", re.IGNORECASE)
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONNECTION = {"connection", "content-length", "date", "keep-alive", "server", "transfer-encoding", "upgrade"}


class Malformed(ValueError):  # noqa: N818 - what the response is
    """The function's response is none that Lambda can turn into HTTP."""


@dataclass(frozen=True)
class HttpResponse:
    """What goes to the client; `headers` with the cookies, without what belongs to the connection."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = (("content-type", "application/json"),)
    body: bytes = b""

    @property
    def content_type(self) -> str:
        """From the headers, or what Lambda assumes."""
        return next((value for name, value in self.headers if name == "content-type"), "application/json")


def event(
    exchange: HttpExchange, body: bytes, function: Function, *, trace_root: str, caller: str = ""
) -> bytes:
    """The event of a request; `caller` is the access key that signed it, if one did."""
    host = exchange.headers.get("host") or "localhost"
    headers = {**_forwarded(exchange, trace_root), **joined_headers(exchange)}
    headers.pop("cookie", None)
    text = _as_text(body, headers.get("content-type", ""))
    now = time.time()
    found: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": exchange.path,
        "rawQueryString": exchange.query,
        "headers": headers,
        "requestContext": {
            "accountId": function.account if caller else "anonymous",
            "apiId": "local",
            "domainName": host,
            "domainPrefix": "local",
            "http": {
                "method": exchange.method,
                "path": exchange.path,
                "protocol": exchange.http_version,
                "sourceIp": exchange.client_address,
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": str(uuid.uuid4()),
            "routeKey": "$default",
            "stage": "$default",
            "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
            "timeEpoch": int(now * 1000),
        },
        "isBase64Encoded": bool(body) and text is None,
    }
    if caller:
        found["requestContext"]["authorizer"] = {"iam": _iam(function, caller)}
    if cookies := exchange.headers.get_all("cookie"):
        found["cookies"] = [cookie.strip() for cookie in ";".join(cookies).split(";") if cookie.strip()]
    if exchange.query:
        found["queryStringParameters"] = _joined(parse_qsl(exchange.query, keep_blank_values=True))
    if body:
        found["body"] = base64.b64encode(body).decode() if text is None else text
    return json.dumps(found).encode()


def joined_headers(exchange: HttpExchange) -> dict[str, str]:
    """The request's headers by lower-case name; the values of a repeated one are joined by commas."""
    return _joined((name.lower(), value) for name, value in exchange.headers.items())


def _forwarded(exchange: HttpExchange, trace_root: str) -> dict[str, str]:
    return {
        "x-forwarded-for": exchange.client_address,
        "x-forwarded-port": (exchange.headers.get("host") or ":80").rpartition(":")[2],
        "x-forwarded-proto": "http",
        "x-amzn-trace-id": f"Root={trace_root}",
    }


def _joined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in pairs:
        found[name] = f"{found[name]},{value}" if name in found else value
    return found


def _as_text(body: bytes, content_type: str) -> str | None:
    """The body as text; None where Lambda passes base64 on."""
    if not _TEXT.fullmatch(content_type.strip()):
        return None
    try:
        return body.decode()
    except UnicodeDecodeError:
        return None


def _iam(function: Function, caller: str) -> dict[str, Any]:
    return {
        "accessKey": caller,
        "accountId": function.account,
        "callerId": caller,
        "cognitoIdentity": None,
        "principalOrgId": None,
        "userArn": f"arn:aws:iam::{function.account}:root",
        "userId": function.account,
    }


def response(payload: bytes) -> HttpResponse:
    """Read a buffered response: format 2.0, or anything else, which then is a 200's body.

    Raises:
        Malformed: it says statusCode and is wrong in it.
    """
    try:
        parsed = json.loads(payload)
    except ValueError:
        raise Malformed("not JSON") from None
    if not isinstance(parsed, dict) or "statusCode" not in parsed:
        return HttpResponse(body=parsed.encode() if isinstance(parsed, str) else payload)
    body = parsed.get("body") or ""
    if not isinstance(body, str):
        body = json.dumps(body)
    try:
        decoded = base64.b64decode(body, validate=True) if parsed.get("isBase64Encoded") else body.encode()
    except (binascii.Error, ValueError):
        raise Malformed("body is not base64") from None
    return replace(_head(parsed), body=decoded)


def prelude(chunks: Iterator[bytes]) -> HttpResponse:
    """Read the head of an integration response; the body that came with it is in `body`.

    Raises:
        Malformed: there is no such head.
    """
    seen = b""
    for piece in chunks:
        seen += piece
        head, mark, body = seen.partition(_END_OF_PRELUDE)
        if mark:
            try:
                parsed = json.loads(head)
            except ValueError:
                break
            if isinstance(parsed, dict):
                return replace(_head({"statusCode": 200, **parsed}), body=body)
            break
    raise Malformed("no prelude")


def _head(parsed: Mapping[str, Any]) -> HttpResponse:
    status, headers, cookies = parsed["statusCode"], parsed.get("headers") or {}, parsed.get("cookies") or []
    if not str(status).isdecimal() or not 200 <= int(status) <= 599:
        raise Malformed("statusCode")
    if not isinstance(headers, dict) or not isinstance(cookies, list):
        raise Malformed("headers or cookies")
    lower = {name.lower(): _header_value(value) for name, value in headers.items()}
    pairs = [(name, value) for name, value in {"content-type": "application/json", **lower}.items()]
    pairs += [("set-cookie", _header_value(cookie)) for cookie in cookies]
    if not all(_TOKEN.fullmatch(name) and value.isprintable() for name, value in pairs):
        raise Malformed("a header")
    return HttpResponse(int(status), tuple(pair for pair in pairs if pair[0] not in _CONNECTION))


def _header_value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
