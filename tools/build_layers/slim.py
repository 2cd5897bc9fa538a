"""The slim build: of botocore's service descriptions, only those that were asked for.

They are two fifths of the strands layer. What is cut cannot be called: the gate `clients` refuses a handler
or a tool that asks for a client that was cut.
"""

import csv
import re
from collections.abc import Sequence

from tools.build_layers.fragment import ROOT, Entry, packed, record_text, unpacked
from tools.command import Failure

_SERVICE = re.compile(rf"{ROOT}(?:botocore|boto3)/data/(?P<service>[^/]+)/")
_RECORD = re.compile(rf"{ROOT}[^/]+\.dist-info/RECORD")


def keep(entries: Sequence[Entry], services: Sequence[str]) -> Sequence[Entry]:
    """The entries without the services that are not named, and the RECORD of what is left; all if none is.

    Raises:
        Failure: botocore knows no service of a name.
    """
    offered = {match["service"] for entry in entries if (match := _SERVICE.match(entry.info.filename))}
    if not services or not offered:
        return entries
    left = [entry for entry in entries if not _cut(entry, services)]
    if any(entry.info.filename == f"{ROOT}botocore/data/endpoints.json" for entry in entries):
        _refuse_unknown(services, offered)
    return [_recorded(entry, left) if _RECORD.fullmatch(entry.info.filename) else entry for entry in left]


def _cut(entry: Entry, services: Sequence[str]) -> bool:
    match = _SERVICE.match(entry.info.filename)
    return match is not None and match["service"] not in services


def _refuse_unknown(services: Sequence[str], offered: set[str]) -> None:
    if unknown := set(services) - offered:
        raise Failure(f"botocore-services.txt names {min(unknown)!r}: botocore has no such service")


def _recorded(record: Entry, left: Sequence[Entry]) -> Entry:
    paths = {entry.info.filename for entry in left}
    rows = {row[0]: row[1:] for row in csv.reader(unpacked(record).decode().splitlines())}
    kept = {path: row for path, row in rows.items() if ROOT + path in paths}
    return packed(record.info.filename, record_text(kept).encode())
