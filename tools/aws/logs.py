"""Shows the function's log from CloudWatch, one line for each log line; -f follows it.

In the local cloud the log is printed by `hatch run local` itself: the emulated CloudWatch has no lines.
"""

import argparse
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from tools.aws import stacks
from tools.aws.account import code, explained
from tools.aws.arguments import parser, target
from tools.aws.replay_traces import seconds
from tools.command import ERR, PLAIN, Failure, run

EXAMPLE = "hatch run logs -f --since 1h"
POLL_S = 2.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the lines, and with -f those that follow."""
    made = parser("logs", __doc__ or "", EXAMPLE)
    made.add_argument("-f", "--follow", action="store_true", help="print new lines until Ctrl-C")
    made.add_argument("--since", type=seconds, default=600, help="how far back: 30s, 10m (default), 24h, 7d")
    made.add_argument("--run", metavar="RUN_ID", type=run_id, help="only the lines of this run")
    made.add_argument("--json", action="store_true", help="print each line as it is in the log")
    options = made.parse_args(arguments)
    with target(options) as found:
        group = stacks.get(found.plan, found.account).outputs["LogGroupName"]
        client = found.account.client("logs")
    pattern = f'{{ $.run_id = "{options.run}" }}' if options.run else None
    messages = (follow if options.follow else read)(
        client, group, time.time() - options.since, pattern=pattern
    )
    lines = 0
    for message in messages:
        print(message.rstrip() if options.json else text(message), flush=True)
        lines += 1
    if not lines:
        ERR.print(_nothing(group, emulated=bool(os.environ.get("AWS_ENDPOINT_URL"))), **PLAIN)
    return 0


def run_id(value: str) -> str:
    """Parse a run's id."""
    if not re.fullmatch(r"[0-9a-f]{8}", value):
        raise argparse.ArgumentTypeError("expected the run_id of a response: 8 hexadecimal digits")
    return value


def read(client: Any, group: str, since: float, *, pattern: str | None = None) -> Iterator[str]:
    """The messages of a log group, oldest first.

    Args:
        client: a client of CloudWatch Logs.
        group: the log group's name.
        since: the earliest time, in seconds since the epoch.
        pattern: only lines that match this filter pattern of CloudWatch Logs.

    Raises:
        Failure: the log group cannot be read.
    """
    return (event["message"] for event in _events(client, group, int(since * 1000), pattern))


def follow(
    client: Any, group: str, since: float, *, pattern: str | None, sleep: Callable[[float], None] = time.sleep
) -> Iterator[str]:
    """As `read`, and without end the messages that are added; `sleep` waits between two requests."""
    start_ms, seen = int(since * 1000), set[str]()
    while True:
        for event in _events(client, group, start_ms, pattern):
            if event["eventId"] not in seen:
                seen.add(event["eventId"])
                start_ms = max(start_ms, event["timestamp"])
                yield event["message"]
        sleep(POLL_S)


def _events(client: Any, group: str, start_ms: int, pattern: str | None) -> Iterator[Mapping[str, Any]]:
    query = {"logGroupName": group, "startTime": start_ms, **({"filterPattern": pattern} if pattern else {})}
    try:
        with explained():
            for page in client.get_paginator("filter_log_events").paginate(**query):
                yield from page["events"]
    except ClientError as error:
        if code(error) != "ResourceNotFoundException":
            raise Failure(
                f"the log group {group} cannot be read ({code(error)}): check the permissions"
            ) from None
        raise Failure(f"the log group {group} does not exist: run `hatch run deploy`") from None


def text(message: str) -> str:
    """A log line for people: time, level, run and message; what is not JSON is unchanged."""
    try:
        line = json.loads(message)
    except ValueError:
        return message.rstrip()
    if not isinstance(line, dict):
        return message.rstrip()
    if "_aws" in line:  # metrics
        names = [metric["Name"] for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]]
        moment = datetime.fromtimestamp(line["_aws"]["Timestamp"] / 1000, UTC).isoformat(
            timespec="milliseconds"
        )
        return " ".join([moment, "METRIC", *(f"{name}={line[name]}" for name in names)])
    if "record" in line:  # Lambda's own lines
        record = line["record"] if isinstance(line["record"], dict) else {}
        return " ".join(filter(None, [line.get("time", ""), line.get("type", ""), record.get("status", "")]))
    words = [
        line.get("timestamp", ""),
        line.get("level", ""),
        line.get("run_id", ""),
        line.get("message", ""),
    ]
    stack = line.get("stackTrace") or line.get("exception") or ""
    trace = "\n".join(stack) if isinstance(stack, list) else str(stack)
    return " ".join(str(word) for word in words if word) + (f"\n{trace.rstrip()}" if trace else "")


def _nothing(group: str, *, emulated: bool) -> str:
    if emulated:
        return f"{group} has no lines: the local cloud prints the log where `hatch run local` runs"
    return f"{group} has no lines in this time: give a longer --since"


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    run(main)
