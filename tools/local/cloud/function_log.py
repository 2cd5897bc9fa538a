"""The function's log in the terminal: for people where a person reads, as it is where a program does."""

import itertools
import json
import sys
import textwrap
import threading
from collections.abc import Iterator
from typing import Any, TextIO

_SHOWN = ("timestamp", "level", "message", "logger", "stackTrace", "errorType", "errorMessage", "requestId")
_COLOURS = {"ERROR": "31", "CRITICAL": "31", "WARNING": "33", "WARN": "33"}


class FunctionLog:
    """Takes lines, writes them, and counts what the function says of its traces in embedded metrics."""

    def __init__(self, out: TextIO | None = None, *, pretty: bool | None = None) -> None:
        self._out = out or sys.stderr
        self._pretty = self._out.isatty() if pretty is None else pretty
        self._news = threading.Condition()
        self.exported = 0.0
        """Traces that the backend accepted, by the function's own count."""
        self.ended = 0
        """Requests that are over, the work after their answer included."""

    def __call__(self, line: str) -> None:
        """Take one line."""
        record = _record(line)
        shown = "\n".join(_for_people(record, line)) if self._pretty else line
        if "_aws" in record:  # embedded metrics are for CloudWatch
            shown = ""
        with self._news:
            self.exported += record.get("TracesExported", 0)
            self.ended += line.startswith("END RequestId")
            if shown:
                print(shown, file=self._out, flush=True)
            self._news.notify_all()

    def wait_exported(self, timeout_s: float) -> bool:
        """Wait for the first request's trace; False if the request is over without it, or the time is."""
        with self._news:
            self._news.wait_for(lambda: self.exported or self.ended, timeout_s)
            # The platform's lines and the function's come by two ways.
            return bool(self._news.wait_for(lambda: self.exported, 1))


def _record(line: str) -> dict[str, Any]:
    if not line.startswith("{"):
        return {}
    try:
        record = json.loads(line)
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}


def _for_people(record: dict[str, Any], line: str) -> Iterator[str]:
    if "message" not in record:
        yield _dim(line)
        return
    level = str(record.get("level", ""))
    more = " ".join(f"{key}={value}" for key, value in record.items() if key not in _SHOWN)
    time = str(record.get("timestamp", ""))[11:19]
    yield f"{_dim(time)} \033[{_COLOURS.get(level, '32')}m{level:7}\033[0m {record['message']} {_dim(more)}"
    if record.get("errorType"):
        yield textwrap.indent("".join(_frames(record.get("stackTrace") or [])), "        ").rstrip()
        yield f"        {record['errorType']}: {record.get('errorMessage', '')}"


def _frames(stack: list[str]) -> Iterator[str]:
    """The frames of the function's own code, and the last; how many of the libraries' lie between."""
    for own, frames in itertools.groupby(stack[:-1], lambda frame: "/var/task/" in frame):
        between = list(frames)
        yield from between if own else [f"  … {len(between)} frames of libraries\n"]
    yield from stack[-1:]


def _dim(text: str) -> str:
    return f"\033[2m{text}\033[0m" if text else ""
