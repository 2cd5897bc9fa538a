"""AWS's event stream encoding (application/vnd.amazon.eventstream), as ConverseStream answers in it.

A frame is its length, its headers' length and their CRC-32, the headers, the payload, and the CRC-32 of all.
https://smithy.io/2.0/aws/amazon-eventstream.html
"""

import json
import struct
from typing import Any
from zlib import crc32

CONTENT_TYPE = "application/vnd.amazon.eventstream"
_STRING = 7


def event(kind: str, payload: dict[str, Any]) -> bytes:
    """An event's frame."""
    return _frame({":message-type": "event", ":event-type": kind}, payload)


def exception(kind: str, message: str) -> bytes:
    """The frame with which a service breaks off a stream."""
    return _frame({":message-type": "exception", ":exception-type": kind}, {"message": message})


def _frame(names: dict[str, str], payload: dict[str, Any]) -> bytes:
    headers = b"".join(
        map(_header, *zip(*{**names, ":content-type": "application/json"}.items(), strict=True))
    )
    body = json.dumps(payload).encode()
    prelude = struct.pack("!II", 16 + len(headers) + len(body), len(headers))
    message = prelude + struct.pack("!I", crc32(prelude)) + headers + body
    return message + struct.pack("!I", crc32(message))


def _header(name: str, value: str) -> bytes:
    return struct.pack(f"!B{len(name)}sBH", len(name), name.encode(), _STRING, len(value)) + value.encode()
