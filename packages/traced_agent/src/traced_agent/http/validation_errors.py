"""Translates pydantic's validation errors into the messages of the API."""

from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError

from traced_agent.errors import ApiError


def to_api_error(error: ValidationError, known: Iterable[str]) -> ApiError:
    """The error response for an invalid body: at most three messages, and the field of the first.

    Args:
        error: pydantic's.
        known: the names that the body may contain, for the message about an unknown one.
    """
    found = error.errors(include_url=False, include_input=False)[:3]
    names = [_field(one["loc"]) for one in found]
    messages = [f"{name} {_message(one, known)}" for name, one in zip(names, found, strict=True)]
    return ApiError("invalid_request", "; ".join(messages), field=names[0])


def _field(loc: tuple[int | str, ...]) -> str:
    steps = [f"[{step}]" if isinstance(step, int) else f".{step}" for step in loc if step != "[key]"]
    name = "".join(steps).removeprefix(".")[:100]
    return "".join(letter if letter.isprintable() else "?" for letter in name)


_MESSAGES = {
    "missing": "is missing",
    "string_type": "must be a string",
    "string_too_short": "must not be empty",
    "string_too_long": "must be at most {max_length} characters long",
    "string_pattern_mismatch": "must be printable ASCII, and not empty",
    "list_type": "must be an array of {entries}",
    "dict_type": "must be an object of strings",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "too_short": "must have at least {min_length} entry",
    "too_long": "must have at most {max_length} entries",
    "literal_error": "must be {expected}",
    "run_tag": "must not begin with run-: such tags identify runs",
    "trace_id": "must be the trace_id of an answer, 32 hexadecimal digits",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
}
"""The message of each validation error, by pydantic's name for it; placeholders are its context."""


def _message(error: Any, known: Iterable[str]) -> str:
    if error["type"] == "extra_forbidden":
        names = f": the fields are {', '.join(sorted(known))}" if len(error["loc"]) == 1 else ""
        return f"is not a known field{names}"
    entries = "objects with id and response" if error["loc"][0] == "interrupt_responses" else "strings"
    return _MESSAGES[error["type"]].format(**{"entries": entries, **error.get("ctx", {})})
