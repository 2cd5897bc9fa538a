"""Leaves out what a layer does not need: botocore's descriptions of services that its owner does not list.

They are two fifths of the strands layer. The function cannot use a service that was left out: the check
`clients` rejects code that asks for a client of one.
"""

import csv
import re
from collections.abc import Sequence

from tools.build_layers.target_scripts.compile_wheel import record_text
from tools.command import Failure
from tools.zip_entries import ROOT, Entry, compress

_SERVICE = re.compile(rf"{ROOT}(?:botocore|boto3)/data/(?P<service>[^/]+)/")
_RECORD = re.compile(rf"{ROOT}[^/]+\.dist-info/RECORD")


def select(entries: Sequence[Entry], services: Sequence[str]) -> Sequence[Entry]:
    """The entries without the services that are not listed, with a RECORD of the rest; all if none is listed.

    Raises:
        Failure: botocore has no service of a listed name.
    """
    offered = {match["service"] for entry in entries if (match := _SERVICE.match(entry.path))}
    if not services or not offered:
        return entries
    selected = [entry for entry in entries if _is_selected(entry, services)]
    if any(entry.path == f"{ROOT}botocore/data/endpoints.json" for entry in entries):
        _reject_unknown(services, offered)
    return [_with_rows_of(entry, selected) if _RECORD.fullmatch(entry.path) else entry for entry in selected]


def _is_selected(entry: Entry, services: Sequence[str]) -> bool:
    match = _SERVICE.match(entry.path)
    return match is None or match["service"] in services


def _reject_unknown(services: Sequence[str], offered: set[str]) -> None:
    if unknown := set(services) - offered:
        raise Failure(f"botocore-services.txt names {min(unknown)!r}: botocore has no such service")


def _with_rows_of(record: Entry, selected: Sequence[Entry]) -> Entry:
    paths = {entry.path for entry in selected}
    rows = {row[0]: row[1:] for row in csv.reader(record.read().decode().splitlines())}
    kept = {path: row for path, row in rows.items() if ROOT + path in paths}
    return compress(record.path, record_text(kept).encode())
