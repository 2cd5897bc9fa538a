"""Reads locks: pinned distributions with the hashes that their wheels may have."""

import re
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Pin:
    """One distribution of a lock: its normalized name, version and the SHA-256 digests it may have."""

    name: str
    version: str
    hashes: frozenset[str]
    text: str
    """Its lines in the lock, comments included."""


def read_lock(text: str) -> dict[str, Pin]:
    """The pins of a lock's text, by name.

    Raises:
        ValueError: a line is not a pin with hashes.
    """
    return {pin.name: pin for pin in map(_pin, _blocks(text))}


def _blocks(lock: str) -> Iterator[str]:
    """Split at every line that starts a requirement; the indented lines after it belong to it."""
    yield from (block for block in re.split(r"(?m)^(?=\S)", lock) if block.strip())


def _pin(block: str) -> Pin:
    start = re.match(r"([a-z0-9]+(?:-[a-z0-9]+)*)==([^\s;\\]+)\s*\\?\n", block)
    hashes = frozenset(re.findall(r"--hash=sha256:([0-9a-f]{64})", block))
    if not start or not hashes:
        raise ValueError(f"not a pin with hashes: {block.splitlines()[0]}")
    return Pin(start[1], start[2], hashes, block.rstrip() + "\n")
