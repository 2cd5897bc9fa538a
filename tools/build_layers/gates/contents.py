"""Gates on what is in the zips: where it stands, which versions, how much of it."""

from collections import Counter
from collections.abc import Iterator

from tools.build_layers.fragment import ROOT, TIME
from tools.build_layers.gates.candidate import Candidate
from tools.build_layers.limits import UNZIPPED, ZIPPED

_MODES = (0o100644, 0o100755)


def layout(candidate: Candidate) -> Iterator[str]:
    """Everything stands under `python/`, once, as an ordinary file bearing the one fixed time."""
    for tree in candidate.trees:
        yield from (f"{tree.name}: {path} is outside {ROOT}" for path in tree.outside)
        names = Counter(entry.filename for entry in tree.entries)
        yield from (
            f"{tree.name}: {path} is in the zip {count} times" for path, count in names.items() if count > 1
        )
        for entry in tree.entries:
            if entry.date_time != TIME:
                yield f"{tree.name}: {entry.filename} bears a time of its own, so no two builds are the same"
            if entry.external_attr >> 16 not in _MODES:
                yield f"{tree.name}: {entry.filename} has the mode {entry.external_attr >> 16:o}"


def versions(candidate: Candidate) -> Iterator[str]:
    """The distributions are those of the lock, each in the version it names."""
    for tree in candidate.trees:
        if tree.pins is None:
            continue
        found = {distribution.name: distribution.version for distribution in tree.distributions}
        for name in sorted(found.keys() | tree.pins.keys()):
            locked, built = tree.pins.get(name, "nothing"), found.get(name, "nothing")
            if locked != built:
                yield f"{tree.name}: of {name} the lock has {locked} and the layer {built}"


def duplicates(candidate: Candidate) -> Iterator[str]:
    """No distribution and no path stands in more than one layer, and no distribution twice in one."""
    named = [(found.name, tree.name) for tree in candidate.trees for found in tree.distributions]
    yield from _more_than_once(named, "the distribution")
    yield from _more_than_once(
        [(path, tree.name) for tree in candidate.trees for path in tree.files], "the path"
    )


def _more_than_once(placed: list[tuple[str, str]], what: str) -> Iterator[str]:
    counts = Counter(name for name, _ in placed)
    for name in sorted(name for name, count in counts.items() if count > 1):
        where = ", ".join(tree for found, tree in placed if found == name)
        yield f"{where}: {what} {name} is there more than once"


def size(candidate: Candidate) -> Iterator[str]:
    """Each zip is at most 50 MiB, and the function with all layers at most 262,144,000 bytes unzipped."""
    for tree in candidate.trees:
        if tree.entries and (zipped := tree.path.stat().st_size) > ZIPPED:
            yield f"{tree.name}: the zip has {zipped:,} bytes, and Lambda takes {ZIPPED:,} in an upload"
    handler = sum(len(data) for data in candidate.handler_files().values())
    unzipped = handler + sum(tree.unzipped for tree in candidate.trees)
    if unzipped > UNZIPPED:
        yield f"function and layers have {unzipped:,} bytes unzipped, and Lambda takes {UNZIPPED:,}"
