"""Divides a layer into parts that are named by their contents: its distributions, and all other files.

Two builds of a layer, or two layers, share the parts in which they do not differ.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tools.zip_entries import ROOT, Entry


@dataclass(frozen=True)
class Part:
    """Entries of a zip, and a digest of their paths and contents."""

    digest: str
    entries: tuple[Entry, ...]


def divide(entries: Iterable[Entry], owners: Mapping[str, str]) -> list[Part]:
    """The parts of a zip, by the distribution that owns each path below `python/`.

    A module and its bytecode are in the same part, and so are an extension and the libraries that it loads by
    a path relative to its own.
    """
    parts: dict[str | None, list[Entry]] = {}
    for entry in entries:
        parts.setdefault(owners.get(entry.path.removeprefix(ROOT)), []).append(entry)
    return [Part(_digest(part), tuple(part)) for part in parts.values()]


def _digest(entries: Iterable[Entry]) -> str:
    digest = hashlib.sha256()
    for entry in entries:
        info = entry.info
        described = (entry.path, info.compress_type, info.external_attr, len(entry.compressed))
        digest.update(repr(described).encode())
        digest.update(entry.compressed)
    return digest.hexdigest()
