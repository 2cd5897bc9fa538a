"""Reads a JSON body strictly: what two parsers could read differently is rejected."""

import json
from collections.abc import Mapping
from typing import Any

from traced_agent.errors import ApiError

MOST_NAMES = 100
"""In one object; more than any request needs, and few enough to report what is wrong with each."""


def check_content_type(headers: Mapping[str, str]) -> None:
    """Require JSON; a request without the header counts as JSON.

    Raises:
        ApiError: `unsupported_media_type`.
    """
    content_type = headers.get("content-type", "application/json").lower()
    media_types = {value.partition(";")[0].strip() for value in content_type.split(",")}
    if len(media_types) > 1:
        raise ApiError(
            "unsupported_media_type",
            "The request has several Content-Type headers: send one, Content-Type: application/json",
        )
    if media_types != {"application/json"}:
        raise ApiError(
            "unsupported_media_type",
            "The body must be JSON: send it with the header Content-Type: application/json",
        )


def read_object(body: bytes, example: str = '{"query": "…"}') -> dict[str, Any]:
    """The JSON object in a body of UTF-8, with or without a byte order mark.

    Args:
        body: the bytes of the request's body.
        example: an object of this route, for the message about a body that is none.

    Raises:
        ApiError: `invalid_json`, or `invalid_request` for JSON that is not an object.
    """
    if not body.strip():
        raise ApiError("invalid_json", f"The body is empty: send {example}")
    try:
        parsed = json.loads(
            body.decode("utf-8-sig"), object_pairs_hook=_without_duplicates, parse_constant=_no_constant
        )
        json.dumps(parsed, ensure_ascii=False).encode()
    except UnicodeDecodeError as error:
        raise ApiError("invalid_json", f"The body is not UTF-8 at byte {error.start}") from None
    except UnicodeEncodeError:
        raise ApiError("invalid_json", "A string in the body has half a surrogate pair") from None
    except RecursionError:
        raise ApiError("invalid_json", "The body is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise ApiError(
            "invalid_json", f"The body is not JSON: {error.msg} at line {error.lineno} column {error.colno}"
        ) from None
    except ValueError:
        raise ApiError("invalid_json", "A number in the body has too many digits") from None
    if not isinstance(parsed, dict):
        raise ApiError("invalid_request", f"The body must be a JSON object: send {example}")
    return parsed


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) > MOST_NAMES:
        raise ApiError("invalid_request", f"An object in the body has over {MOST_NAMES} names")
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ApiError(
                "invalid_json", f"The body is not JSON: {name[:100]!a} appears twice in one object"
            )
        found[name] = value
    return found


def _no_constant(name: str) -> None:
    raise ApiError("invalid_json", f"The body is not JSON: {name} is not a JSON value")
