"""Leaves out what a layer does not need: services of botocore that are not listed, and excluded paths.

The function cannot use a service that was left out: the check `clients` rejects code that asks for a client
of one.
"""

import csv
import re
from collections.abc import Sequence
from fnmatch import fnmatch

from layers import Layer
from tools.build_layers.target_scripts.compile_wheel import record_text
from tools.command import Failure
from tools.zip_entries import ROOT, Entry, compress

_SERVICE = re.compile(rf"{ROOT}(?:botocore|boto3)/data/(?P<service>[^/]+)/")
_RECORD = re.compile(rf"{ROOT}[^/]+\.dist-info/RECORD")
_BYTECODE = re.compile(r"__pycache__/([^/]+)\.cpython-\d+\.pyc")


def select(entries: Sequence[Entry], layer: Layer) -> Sequence[Entry]:
    """The entries of one wheel that the layer's owner wants, with a RECORD of just these.

    Raises:
        Failure: botocore has no service of a listed name.
    """
    offered = {match["service"] for entry in entries if (match := _SERVICE.match(entry.path))}
    services = layer.services if offered else ()
    if any(entry.path == f"{ROOT}botocore/data/endpoints.json" for entry in entries):
        _reject_unknown(services, offered)
    excluded = layer.excluded  # read once: it is in a file
    selected = [
        entry
        for entry in entries
        if not is_excluded(entry.path, excluded) and _is_kept_service(entry, services)
    ]
    if len(selected) == len(entries):
        return entries
    return [_with_rows_of(entry, selected) if _RECORD.fullmatch(entry.path) else entry for entry in selected]


def is_excluded(path: str, patterns: Sequence[str]) -> bool:
    """Whether a path of a zip matches a pattern; bytecode is excluded together with its source."""
    source = _BYTECODE.sub(r"\1.py", path.removeprefix(ROOT))
    return any(fnmatch(source, pattern) for pattern in patterns)


def reject_unused(layer: Layer, paths: Sequence[str]) -> None:
    """Fail if a pattern matches none of the paths: it is a mistake, or no longer needed.

    Raises:
        Failure: names the pattern.
    """
    for pattern in layer.excluded:
        if not any(is_excluded(path, [pattern]) for path in paths):
            raise Failure(
                f"layers/{layer.name}/exclude.txt: {pattern!r} matches no file: correct or remove it"
            )


def _is_kept_service(entry: Entry, services: Sequence[str]) -> bool:
    match = _SERVICE.match(entry.path)
    return not services or match is None or match["service"] in services


def _reject_unknown(services: Sequence[str], offered: set[str]) -> None:
    if unknown := set(services) - offered:
        raise Failure(
            f"botocore-services.txt names {min(unknown)!r}: botocore has no such service: remove it"
        )


def _with_rows_of(record: Entry, selected: Sequence[Entry]) -> Entry:
    paths = {entry.path for entry in selected}
    rows = {row[0]: row[1:] for row in csv.reader(record.read().decode().splitlines())}
    kept = {path: row for path, row in rows.items() if ROOT + path in paths}
    return compress(record.path, record_text(kept).encode())
