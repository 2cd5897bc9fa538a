"""Reads the attributes of spans and events fast.

OpenTelemetry's own mapping implements only what `Mapping` requires: its `items()` and `in` take many times as
long as those of a dict.
"""

from collections.abc import Iterator, Mapping
from typing import Any


def plain(attributes: Mapping[str, Any] | None) -> dict[str, Any]:
    """The attributes as a new dict."""
    return {name: attributes[name] for name in attributes} if attributes else {}


def text_values(attributes: Mapping[str, Any] | None) -> Iterator[str]:
    """Each value that is a text, and each text in a value that is a sequence."""
    for value in plain(attributes).values():
        if isinstance(value, str):
            yield value
        elif isinstance(value, tuple | list):
            yield from (item for item in value if isinstance(item, str))
