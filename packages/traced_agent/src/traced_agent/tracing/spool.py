"""Writes traces that would be lost to the log, and reads them from it: `TRACE_SPOOL=log`.

A record is one line of JSON with a part of a compressed OTLP request, small enough for one log event.
"""

import base64
import gzip
import hashlib
import json
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

_KEY: Final = "trace_spool"
_SCORE_KEY: Final = "score_spool"
_PART: Final = 180_000
"""Characters of a record's data: a CloudWatch Logs event has at most 262,144 bytes."""


@dataclass(frozen=True)
class Spooled:
    """One run's spans, as an OTLP request."""

    trace_id: str
    request: bytes


def records(trace_id: str, request: bytes) -> Iterator[str]:
    """Split an OTLP request into records, one line each."""
    data = base64.b64encode(gzip.compress(request, 9, mtime=0)).decode()
    digest = hashlib.sha256(request).hexdigest()[:16]
    parts = [data[start : start + _PART] for start in range(0, len(data), _PART)]
    for number, part in enumerate(parts):
        record = {"trace_id": trace_id, "digest": digest, "part": number, "parts": len(parts), "data": part}
        yield json.dumps({_KEY: record})


def score_record(score: Mapping[str, Any]) -> str:
    """The line that holds a score."""
    return json.dumps({_SCORE_KEY: dict(score)})


def read_scores(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Yield the scores among the lines, the last one for each id; other lines are ignored."""
    found = [_record(line, _SCORE_KEY) for line in lines]
    yield from {score["id"]: score for score in found if score and "id" in score}.values()


def read(lines: Iterable[str]) -> Iterator[Spooled]:
    """Yield the runs whose records are all among the lines, each once; other or damaged lines are ignored."""
    found: dict[tuple[str, str], dict[int, str]] = defaultdict(dict)
    done: set[tuple[str, str]] = set()
    for line in lines:
        record = _record(line)
        if not record or any(type(record.get(name)) is not kind for name, kind in _FIELDS.items()):
            continue
        key = (record["trace_id"], record["digest"])
        parts = found[key]
        parts[record["part"]] = record["data"]
        if key in done or set(parts) != set(range(record["parts"])):
            continue
        request = _request("".join(parts[number] for number in sorted(parts)))
        if request is not None:
            done.add(key)
            yield Spooled(record["trace_id"], request)


_FIELDS = {"trace_id": str, "digest": str, "part": int, "parts": int, "data": str}
"""The fields of a record."""


def _request(data: str) -> bytes | None:
    try:
        return gzip.decompress(base64.b64decode(data))
    except (ValueError, OSError, EOFError, zlib.error):
        return None


def _record(line: str, key: str = _KEY) -> dict[str, Any] | None:
    start = line.find(f'{{"{key}"')
    if start < 0:
        return None
    try:
        return dict(json.JSONDecoder().raw_decode(line[start:])[0][key])
    except (ValueError, TypeError):
        return None
