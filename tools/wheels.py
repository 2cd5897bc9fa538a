"""Locks, and the wheels they name."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Pin:
    """One distribution of a lock: its normalized name, version and the SHA-256 digests it may have."""

    name: str
    version: str
    hashes: frozenset[str]
    text: str
    """As it stands in the lock, comments included."""


def pins(lock: str) -> dict[str, Pin]:
    """Read the text of a lock, by name.

    Raises:
        ValueError: a line is not a hashed pin.
    """
    return {pin.name: pin for pin in map(_pin, _blocks(lock))}


def _blocks(lock: str) -> Iterator[str]:
    """Split at every line that starts a requirement; what follows it, indented, belongs to it."""
    yield from (block for block in re.split(r"(?m)^(?=\S)", lock) if not block.isspace() and block)


def _pin(block: str) -> Pin:
    start = re.match(r"([a-z0-9]+(?:-[a-z0-9]+)*)==([^\s;\\]+)\s*\\?\n", block)
    hashes = frozenset(re.findall(r"--hash=sha256:([0-9a-f]{64})", block))
    if not start or not hashes:
        raise ValueError(f"not a pin with hashes: {block.splitlines()[0]}")
    return Pin(start[1], start[2], hashes, block.rstrip() + "\n")
