"""Reads locks: pinned distributions with the hashes that their wheels may have."""

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

_HASH = "--hash=sha256:"


@dataclass(frozen=True)
class Pin:
    """One distribution of a lock: its normalized name, version and the SHA-256 digests it may have."""

    name: str
    version: str
    hashes: frozenset[str]
    text: str
    """Its lines in the lock, comments included, without the marker: a lock is for one target."""


def read_lock(text: str) -> dict[str, Pin]:
    """The pins of a lock's text, by name.

    Raises:
        ValueError: a line is not a pin with hashes.
    """
    return {pin.name: pin for pin in _pins(text)}


@functools.cache  # one command reads the same lock many times
def _pins(text: str) -> tuple[Pin, ...]:
    return tuple(map(_pin, _blocks(text)))


def _blocks(lock: str) -> Iterator[list[str]]:
    """The lines of each requirement, without the comments between them: only the first is not indented."""
    for block in re.split(r"(?m)^(?=\S)", lock):
        if block.strip() and not block.startswith("#"):
            yield block.rstrip().splitlines()


def _pin(lines: list[str]) -> Pin:
    words = " ".join(re.sub(r"(^|\s)#.*", "", line).removesuffix("\\") for line in lines).split()
    options = [word for word in words if word.startswith("--")]
    hashes = frozenset(
        word.removeprefix(_HASH) for word in options if re.fullmatch(_HASH + "[0-9a-f]{64}", word)
    )
    try:
        requirement = Requirement(" ".join(word for word in words if word not in options).rstrip("\\ "))
        ((operator, version),) = ((clause.operator, clause.version) for clause in requirement.specifier)
    except (InvalidRequirement, ValueError):
        operator = version = ""
    if operator != "==" or version.endswith("*") or not hashes:
        raise ValueError(f"not a pin with hashes: {lines[0]}")
    first = f"{requirement.name}=={version}" + (" \\" if len(lines) > 1 else "")
    return Pin(canonicalize_name(requirement.name), version, hashes, "\n".join([first, *lines[1:]]) + "\n")
