"""The items of a data set: from a JSON Lines file, or from Langfuse."""

import json
from pathlib import Path
from typing import Any

from tools.command import Failure

Item = dict[str, Any]
"""`input` (a question, or the body of a request), `expected_output` and `metadata`."""


def read_items(file: Path) -> list[Item]:
    """Read one item per line; empty lines are ignored.

    Raises:
        Failure: the file cannot be read, or a line is not an item.
    """
    try:
        lines = file.read_text("utf-8-sig").splitlines()
    except OSError as error:
        raise Failure(f"{file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise Failure(f"{file} is not UTF-8 at byte {error.start}: convert the file") from None
    items = [_item(line, f"{file}, line {number}") for number, line in enumerate(lines, 1) if line.strip()]
    if not items:
        raise Failure(f'{file} contains no items: add lines like {{"input": "…", "expected_output": "…"}}')
    return items


def _item(line: str, where: str) -> Item:
    try:
        item = json.loads(line)
    except ValueError as error:
        raise Failure(f"{where} is not JSON: {error}") from None
    if not isinstance(item, dict) or not isinstance(item.get("input"), str | dict):
        raise Failure(f"{where} needs `input`: a question, or an object that is sent as the request")
    if unknown := set(item) - {"input", "expected_output", "metadata"}:
        raise Failure(f"{where} has unknown fields: {', '.join(sorted(unknown))}")
    return item


def request_body(given: Any) -> dict[str, Any]:
    """The body of the request for an item's input."""
    return dict(given) if isinstance(given, dict) else {"query": str(given)}
