"""Rejects an exclusion of a shared library that a remaining binary needs: its import would fail on Lambda."""

import io
from collections.abc import Iterator, Sequence

from elftools.elf.dynamic import DynamicSegment
from elftools.elf.elffile import ELFFile

from layers import Layer
from tools.build_layers.elf import DAMAGED, LIBRARY
from tools.command import Failure
from tools.zip_entries import ROOT, Entry


def reject_needed(layer: Layer, entries: Sequence[Entry], kept: Sequence[Entry]) -> None:
    """Fail if a binary that is kept needs a library of the layer's wheels that is excluded.

    Args:
        layer: the layer with its exclusions.
        entries: all entries of its wheels.
        kept: those that are not excluded.

    Raises:
        Failure: names the library and the binary.
    """
    if not layer.excluded:
        return
    excluded = {_name(entry): entry.path for entry in entries if LIBRARY.search(entry.path)}
    for entry in kept:
        excluded.pop(_name(entry), None)
    for entry in kept if excluded else ():
        for name in _needed(entry):
            if name in excluded:
                library, binary = excluded[name].removeprefix(ROOT), entry.path.removeprefix(ROOT)
                raise Failure(
                    f"layers/{layer.name}/exclude.txt: {library} is needed by {binary}: "
                    "keep the library, or exclude both"
                )


def _name(entry: Entry) -> str:
    return entry.path.rpartition("/")[2]


def _needed(entry: Entry) -> Iterator[str]:
    """The names of the libraries that the dynamic linker loads with a binary (DT_NEEDED)."""
    if not LIBRARY.search(entry.path):
        return
    try:
        for segment in ELFFile(io.BytesIO(entry.read())).iter_segments():
            if isinstance(segment, DynamicSegment):
                yield from (vars(tag)["needed"] for tag in segment.iter_tags("DT_NEEDED"))
    except DAMAGED:
        return
