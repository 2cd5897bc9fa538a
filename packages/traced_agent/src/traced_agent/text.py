"""Surrogates in text.

A model may send a character outside the basic multilingual plane as two deltas, each of them half a surrogate
pair, and a tool may return half of one. UTF-8 cannot encode them.
"""

from typing import Any

_HIGH = ("\ud800", "\udbff")


def join_surrogates(text: str) -> str:
    """Join the halves of each surrogate pair into the character; a single half stays."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def replace_surrogates(text: str) -> str:
    """Join surrogate pairs, and replace a single half by a question mark."""
    return join_surrogates(text).encode(errors="replace").decode()


def split_high_surrogate(text: str) -> tuple[str, str]:
    """The text, and the first half of a pair at its end, if there is one."""
    if text and _HIGH[0] <= text[-1] <= _HIGH[1]:
        return text[:-1], text[-1]
    return text, ""


def replace_in(value: Any) -> Any:
    """The same value with `replace_surrogates` applied to every string in it, in place where it can be."""
    if isinstance(value, str):
        return value if value.isascii() else replace_surrogates(value)
    if isinstance(value, dict):
        for key in value:
            value[key] = replace_in(value[key])
    elif isinstance(value, list):
        value[:] = map(replace_in, value)
    return value
