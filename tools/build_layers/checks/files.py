"""Checks of the files in the zips: their paths, versions and sizes."""

from collections import Counter
from collections.abc import Iterator

from tools.build_layers.checks.candidate import Candidate
from tools.build_layers.limits import UNZIPPED, ZIPPED
from tools.zip_entries import ROOT, TIME

_MODES = (0o100644, 0o100755)


def layout(candidate: Candidate) -> Iterator[str]:
    """Every file is under `python/`, once, as a regular file with the fixed time."""
    for layer in candidate.layers:
        yield from (f"{layer.name}: {path} is outside {ROOT}" for path in layer.outside)
        names = Counter(entry.filename for entry in layer.entries)
        yield from (
            f"{layer.name}: {path} is in the zip {count} times" for path, count in names.items() if count > 1
        )
        for entry in layer.entries:
            if entry.date_time != TIME:
                yield f"{layer.name}: {entry.filename} does not have the fixed time, so builds differ"
            if entry.external_attr >> 16 not in _MODES:
                yield f"{layer.name}: {entry.filename} has the mode {entry.external_attr >> 16:o}"


def versions(candidate: Candidate) -> Iterator[str]:
    """The distributions and their versions are those of the lock."""
    for layer in candidate.layers:
        if layer.pins is None:
            continue
        found = {distribution.name: distribution.version for distribution in layer.distributions}
        for name in sorted(found.keys() | layer.pins.keys()):
            locked, built = layer.pins.get(name, "nothing"), found.get(name, "nothing")
            if locked != built:
                yield f"{layer.name}: the lock has {locked} of {name}, and the layer has {built}"


def duplicates(candidate: Candidate) -> Iterator[str]:
    """No distribution and no path is in more than one layer, and no distribution is twice in one."""
    named = [(found.name, layer.name) for layer in candidate.layers for found in layer.distributions]
    yield from _more_than_once(named, "distribution")
    yield from _more_than_once(
        [(path, layer.name) for layer in candidate.layers for path in layer.files], "path"
    )


def _more_than_once(placed: list[tuple[str, str]], what: str) -> Iterator[str]:
    counts = Counter(name for name, _ in placed)
    for name in sorted(name for name, count in counts.items() if count > 1):
        where = ", ".join(layer for found, layer in placed if found == name)
        yield f"{where}: there is more than one {what} {name}"


def size(candidate: Candidate) -> Iterator[str]:
    """Each zip is at most 50 MiB, and the function with all layers at most 262,144,000 bytes unzipped."""
    for layer in candidate.layers:
        if layer.entries and (zipped := layer.path.stat().st_size) > ZIPPED:
            yield f"{layer.name}: the zip has {zipped:,} bytes, and Lambda's limit is {ZIPPED:,} in an upload"
    handler = sum(len(data) for data in candidate.handler_files().values())
    unzipped = handler + sum(layer.unzipped for layer in candidate.layers)
    if unzipped > UNZIPPED:
        yield f"function and layers have {unzipped:,} bytes unzipped, and Lambda's limit is {UNZIPPED:,}"
