"""Sends traces again that the function wrote to its log, because the backend did not accept them.

With trace_spool=log the function writes such traces to its log. They are sent to the backend that LANGFUSE_*
or OTEL_EXPORTER_OTLP_TRACES_* name in the environment or in .env. They keep their ids, so sending them twice
makes no second trace.
"""

import argparse
import os
import re
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError
from rich.progress import track

from tools import user_environment
from tools.aws import account, arguments, stacks
from tools.command import ERR, OUT, PLAIN, Failure, run
from traced_agent.settings import Settings, SettingsError
from traced_agent.tracing import langfuse_protocol, spool
from traced_agent.tracing.export_attempt import ExportAttempt, ExportError
from traced_agent.tracing.langfuse_api import LangfuseApi
from traced_agent.tracing.otlp_client import OtlpClient
from traced_agent.tracing.otlp_encoding import otlp_headers, parse_headers

EXAMPLE = "hatch run replay-traces --since 7d"
TIMEOUT_S = 30.0
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_PREFIXES = ("LANGFUSE_", "OTEL_", "TRACE_")


def main(words: Sequence[str] | None = None, environ: Mapping[str, str] | None = None) -> int:
    """Find the traces and scores, send them, and print how many; 1 if one could not be sent."""
    options = _parser().parse_args(words)
    settings = _settings(user_environment.read(prefixes=_PREFIXES) if environ is None else environ)
    target = _target(settings)
    lines = list(_lines(options))
    found = list(spool.read(lines))
    scores = list(spool.read_scores(lines))
    failed = dict(_send(found, target))
    failed_scores = dict(_send_scores(scores, settings))
    if options.json:
        sent = [spooled.trace_id for spooled in found if spooled.trace_id not in failed]
        sent_scores = [score["id"] for score in scores if score["id"] not in failed_scores]
        result = {
            "url": target.url,
            "sent": sent,
            "scores": sent_scores,
            "failed": {**failed, **failed_scores},
        }
        OUT.print_json(data=result)
    else:
        OUT.print(f"{len(found) - len(failed)} of {len(found)} traces sent to {target.url}")
        if scores:
            OUT.print(f"{len(scores) - len(failed_scores)} of {len(scores)} scores sent")
    for spooled_id, reason in {**failed, **failed_scores}.items():
        ERR.print(f"{spooled_id}: {reason}", **PLAIN)
    return 1 if failed or failed_scores else 0


def _parser() -> argparse.ArgumentParser:
    parser = arguments.parser("replay-traces", __doc__ or "", EXAMPLE)
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--file", help="a saved log; - reads standard input")
    source.add_argument("--log-group", help="a log group in CloudWatch (default: the deployed stack's)")
    parser.add_argument("--since", type=seconds, default=86_400, help="how far back: 30m, 24h (default), 7d")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def seconds(text: str) -> int:
    """Parse a duration like 24h."""
    if not (match := re.fullmatch(r"(\d+)([smhd])", text)):
        raise argparse.ArgumentTypeError("expected a number with s, m, h or d, as in 24h")
    return int(match[1]) * _UNITS_S[match[2]]


def _settings(environ: Mapping[str, str | None]) -> Settings:
    try:
        return Settings.from_env({name: value for name, value in environ.items() if value})
    except SettingsError as error:
        raise Failure(str(error)) from None


def _target(settings: Settings) -> OtlpClient:
    """The collector or Langfuse, as the function itself would choose.

    Raises:
        Failure: neither is given.
    """
    if settings.otlp_endpoint:
        headers = otlp_headers(parse_headers(settings.otlp_headers))
        return OtlpClient(settings.otlp_endpoint, headers)
    keys = (settings.langfuse_public_key, settings.langfuse_secret_key)
    if not all(keys):
        raise Failure(
            "it is not known where to: set LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY, with LANGFUSE_HOST, "
            "or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, in the environment or in .env"
        )
    return OtlpClient(
        settings.langfuse_host + langfuse_protocol.PATH, otlp_headers(langfuse_protocol.headers(*keys))
    )


def _lines(options: argparse.Namespace) -> Iterable[str]:
    if options.file == "-":
        return sys.stdin
    if options.file:
        try:
            return Path(options.file).read_text("utf-8", "replace").splitlines()
        except OSError as error:
            raise Failure(f"{options.file} cannot be read: {error.strerror}") from None
    with arguments.target(options) as target:
        group = options.log_group or stacks.get(target.plan, target.account).outputs["LogGroupName"]
        logs = target.account.client("logs")
    return events(logs, group, time.time() - options.since)


def events(logs: Any, group: str, since: float) -> Iterator[str]:
    """The messages of a log group that hold a record, `since` in seconds since the epoch.

    Raises:
        Failure: it cannot be read, and why.
    """
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName=group, startTime=int(since * 1000), filterPattern='?"trace_spool" ?"score_spool"'
    )
    try:
        with account.explained(), ERR.status(f"Reading {group} …"):
            for page in pages:
                yield from (event["message"] for event in page["events"])
    except ClientError as error:
        raise Failure(f"the log group {group} cannot be read ({account.code(error)})") from None


def _send(found: Sequence[spool.Spooled], target: OtlpClient) -> Iterator[tuple[str, str]]:
    """Send each; yields the ids of those that could not be, with the reason."""
    for spooled in track(found, "Sending", console=ERR, transient=True):
        try:
            answer = target.post(spooled.request, ExportAttempt((), TIMEOUT_S))
        except ExportError as error:
            yield spooled.trace_id, str(error)
        else:
            if not answer.accepted:
                yield spooled.trace_id, answer.summary


def _send_scores(scores: Sequence[Mapping[str, Any]], settings: Settings) -> Iterator[tuple[str, str]]:
    """Send each score; yields the ids of those that could not be, with the reason."""
    api = LangfuseApi(
        settings.langfuse_host, settings.langfuse_public_key, settings.langfuse_secret_key, os.environ
    )
    for score in scores:
        if settings.otlp_endpoint:
            yield score["id"], "scores need Langfuse, not an OTLP endpoint"
            continue
        try:
            api.create_score(score, ExportAttempt((), TIMEOUT_S))
        except ExportError as error:
            yield score["id"], str(error)


if __name__ == "__main__":
    sys.stdin.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]
    run(main)
