"""Evaluates an agent: asks questions, scores the answers, and compares the mean score with a threshold.

Asks every item of a data set over HTTP, scores the answers, and exits with 1 if the mean score is below
--min. With LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY (in the environment or .env) it records the experiment
in Langfuse; without them nothing is recorded. Without --url the requests go to the local cloud.
"""

import argparse
import contextlib
import functools
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import dotenv
import httpx
from langfuse import Langfuse
from rich.progress import Progress
from rich.table import Table

from tools.aws import invoke
from tools.aws.account import Account
from tools.aws.function_client import FunctionClient
from tools.command import ERR, OUT, Failure, described, run
from tools.evaluate.evaluators import load_evaluators
from tools.evaluate.experiment import Experiment, Result, mean_score, report
from tools.evaluate.items import read_items
from traced_agent.settings import Settings, SettingsError

ROOT = Path(__file__).parents[2]
EVALUATION = ROOT / "tests" / "evaluation"


def main(arguments: Sequence[str] | None = None, environ: Mapping[str, str] | None = None) -> int:
    """Evaluate; 1 if the mean score is below the threshold."""
    options = _parser().parse_args(arguments)
    evaluators = load_evaluators(Path(options.evaluators))
    langfuse, records = _langfuse(environ or _environment())
    items = _items(options, langfuse, records=records)
    with _url(options) as url, httpx.Client(timeout=invoke.TIMEOUT_S) as client, Progress(console=ERR) as bar:
        asking = bar.add_task("Evaluating", total=len(items))
        experiment = Experiment(
            name=options.name or f"evaluate {time.strftime('%Y-%m-%d %H:%M:%S')}",
            ask=functools.partial(_ask, FunctionClient(client, _account(options), _token()), url),
            evaluators=evaluators,
            langfuse=langfuse,
            concurrency=options.concurrency,
            on_item=functools.partial(bar.advance, asking),
        )
        results = experiment.run(items)
    if options.json:
        OUT.print_json(report(results))
    else:
        _show(results, experiment.name, recorded=records)
    return 0 if mean_score(results) >= options.min else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        **described("evaluate", __doc__ or "", "hatch run evaluate --file items.jsonl --min 0.8")
    )
    parser.add_argument("--url", help="the Function URL (default: the local cloud)")
    parser.add_argument("--region", help="the region for signed calls (default: AWS_REGION, else us-east-1)")
    data = parser.add_mutually_exclusive_group()
    data.add_argument("--dataset", metavar="NAME", help="a data set in Langfuse")
    data.add_argument(
        "--file", default=str(EVALUATION / "agent.jsonl"), help="a JSON Lines file (default: %(default)s)"
    )
    parser.add_argument(
        "--evaluators",
        default=str(EVALUATION / "evaluators.py"),
        metavar="FILE",
        help="a Python file with a list EVALUATORS (default: %(default)s)",
    )
    parser.add_argument("--name", help="the name of the experiment (default: the date and time)")
    parser.add_argument("--min", type=_score, default=1.0, help="the lowest mean score, 0 to 1 (default: 1)")
    parser.add_argument("--concurrency", type=_count, default=4, help="runs at the same time (default: 4)")
    parser.add_argument("--json", action="store_true", help="print the results as JSON")
    return parser


def _score(text: str) -> float:
    try:
        score = float(text)
    except ValueError:
        score = -1.0
    if not 0 <= score <= 1:
        raise argparse.ArgumentTypeError("a number from 0 to 1")
    return score


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 100:
        raise argparse.ArgumentTypeError("a whole number from 1 to 100")
    return int(text)


def _environment() -> dict[str, str]:
    values = {**dotenv.dotenv_values(ROOT / ".env"), **os.environ}
    return {name: value for name, value in values.items() if value}


def _langfuse(environ: Mapping[str, str]) -> tuple[Langfuse, bool]:
    """A client, and whether it records: without keys it is disabled.

    Raises:
        Failure: a setting is invalid.
    """
    try:
        settings = Settings.from_env(environ)
    except SettingsError as error:
        raise Failure(str(error)) from None
    keys = settings.langfuse_public_key, settings.langfuse_secret_key
    recording = all(keys)
    public_key, secret_key = keys if recording else ("none", "none")
    client = Langfuse(
        public_key=public_key,
        secret_key=secret_key,
        base_url=settings.langfuse_host,
        tracing_enabled=recording,
    )
    return client, recording


def _items(options: argparse.Namespace, langfuse: Langfuse, *, records: bool) -> Sequence[Any]:
    if not options.dataset:
        return read_items(Path(options.file))
    if not records:
        raise Failure("--dataset needs LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY: set them, or use --file")
    try:
        items = langfuse.get_dataset(options.dataset).items
    except Exception as error:  # noqa: BLE001 - of many kinds, all of the server's or the network's
        raise Failure(f"the data set {options.dataset} cannot be read: {type(error).__name__}") from None
    if not items:
        raise Failure(f"the data set {options.dataset} contains no items")
    return items


@contextlib.contextmanager
def _url(options: argparse.Namespace) -> Iterator[str]:
    if options.url:
        yield options.url
        return
    # Both are slow to import, and are not needed with --url.
    from tools.build_layers.__main__ import main as build_layers  # noqa: PLC0415
    from tools.local.cloud.local_cloud import LocalCloud  # noqa: PLC0415

    if build_layers(["build", "--quiet"]):
        raise Failure("the layers could not be built: see above")
    with ERR.status("Starting the local cloud …"):
        cloud = LocalCloud(environ=os.environ)
        cloud.__enter__()
    try:
        yield cloud.url
    finally:
        cloud.__exit__(None, None, None)


def _account(options: argparse.Namespace) -> Account:
    return Account(region=options.region or os.environ.get("AWS_REGION") or Account.region)


def _token() -> str:
    return invoke.token(os.environ, None)


def _ask(client: FunctionClient, url: str, body: dict[str, Any]) -> dict[str, Any]:
    return client.ask(url, json.dumps(body).encode())


def _show(results: Sequence[Result], name: str, *, recorded: bool) -> None:
    table = Table("score", "input", "answer", box=None)
    for result in results:
        answer = result.error or str(result.output)
        table.add_row(f"{result.score:.2f}", str(result.input)[:60], answer[:80])
    OUT.print(table)
    where = f"recorded in Langfuse as {name!r}" if recorded else "not recorded: no Langfuse keys are set"
    OUT.print(f"mean score {mean_score(results):.3f} over {len(results)} items, {where}", highlight=False)


if __name__ == "__main__":
    run(main)
