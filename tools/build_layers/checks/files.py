"""Checks of the files in the zips: their paths, versions and sizes."""

from collections import Counter
from collections.abc import Iterator, Sequence

from packaging.version import InvalidVersion, Version

from tools.build_layers.checks.candidate import Candidate
from tools.build_layers.checks.layer_contents import LayerContents
from tools.build_layers.checks.result import Harmless
from tools.build_layers.limits import UNZIPPED
from tools.zip_entries import ROOT, TIME

_MODES = (0o100644, 0o100755)
_NEARLY = 0.9
_SHOWN = 5


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
            if not _same_version(locked, built):
                yield f"{layer.name}: the lock has {locked} of {name}, and the layer has {built}"


def _same_version(locked: str, built: str) -> bool:
    try:
        return Version(locked) == Version(built)
    except InvalidVersion:
        return locked == built


def duplicates(candidate: Candidate) -> Iterator[str]:
    """No distribution and no path is in more than one layer, and no distribution is twice in one."""
    named = [(found.name, layer) for layer in candidate.layers for found in layer.distributions]
    for name, found in _more_than_once(named):
        yield f"{_names(found)}: there is more than one distribution {name}"
    for path, found in _more_than_once([(path, layer) for layer in candidate.layers for path in layer.files]):
        message = f"{_names(found)}: there is more than one path {path}"
        same = len({layer.files[path] for layer in found}) == 1
        owned = {layer.owners.get(path) for layer in found}
        yield Harmless(f"{message}, equal") if same and len(owned) > 1 else message


def _more_than_once(placed: list[tuple[str, LayerContents]]) -> Iterator[tuple[str, list[LayerContents]]]:
    counts = Counter(name for name, _ in placed)
    for name in sorted(name for name, count in counts.items() if count > 1):
        yield name, [layer for found, layer in placed if found == name]


def _names(found: list[LayerContents]) -> str:
    return ", ".join(layer.name for layer in found)


def size(candidate: Candidate) -> Iterator[str]:
    """The function and all layers together have at most 262,144,000 bytes unzipped."""
    handler = sum(len(data) for data in candidate.handler_files().values())
    unzipped = handler + sum(layer.unzipped for layer in candidate.layers)
    if unzipped > UNZIPPED:
        yield (
            f"function and layers have {unzipped:,} bytes unzipped, and Lambda's limit is {UNZIPPED:,}: the "
            f"largest distributions are {_largest(candidate.layers)}; list botocore's services in "
            "botocore-services.txt to leave out the others"
        )
    elif unzipped > UNZIPPED * _NEARLY:
        share = unzipped / UNZIPPED
        yield Harmless(f"function and layers have {unzipped:,} bytes unzipped, {share:.0%} of the limit")


def _largest(layers: Sequence[LayerContents]) -> str:
    sizes: Counter[str] = Counter()
    for layer in layers:
        for path in layer.files:
            sizes[layer.owners.get(path, "files of no distribution")] += layer.size(path)
    return ", ".join(f"{name} ({size / 1e6:.1f} MB)" for name, size in sizes.most_common(_SHOWN))
