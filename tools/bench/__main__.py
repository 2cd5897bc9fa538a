"""Measures the product and other solutions; with --write it also writes docs/benchmarks.*."""

import argparse
import datetime
import functools
import importlib
import json
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

from rich.table import Table as Shown

from tools import cache
from tools.bench import page, recipe_costs
from tools.bench.machine import commit, machine
from tools.bench.result import Part, figure
from tools.bench.soak_plan import Plan
from tools.command import ERR, OUT, described, run

_PLAIN: dict[str, Any] = {"markup": False, "emoji": False, "highlight": False, "soft_wrap": True}
PARTS = ("layers", "cold-start", "warm", "recipes", "cost", "traces", "stream", "soak", "synth")
DOCS = Path(__file__).parents[2] / "docs"


def main() -> int:
    """Measure the named parts, or all of them."""
    options = parse()
    measure = functools.partial(_measure, options=options)
    return bench(options.part or PARTS, as_json=options.json, measure=measure, docs=docs_folder(options))


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line; an unknown part ends the program with the list of parts."""
    parser = argparse.ArgumentParser(**described("bench", __doc__ or "", "hatch run bench layers warm"))
    parser.add_argument("part", nargs="*", help=f"one of {', '.join(PARTS)}; all of them by default")
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.* after each part")
    parser.add_argument("--json", action="store_true", help="also print the results as JSON")
    soak = parser.add_argument_group("soak", "a longer soak test, at a steady rate and with fewer faults")
    soak.add_argument("--requests", type=int, default=2000, help="at least this many (default: 2000)")
    soak.add_argument("--minutes", type=float, default=0.0, help="for at least this time")
    soak.add_argument("--rate", type=float, default=0.0, help="requests per second; 0: as many as possible")
    soak.add_argument(
        "--faults", type=float, default=0.2, help="share of faulty model answers (default: 0.2)"
    )
    options = parser.parse_args(arguments)
    if unknown := set(options.part) - set(PARTS):
        parser.error(f"unknown part {', '.join(sorted(unknown))}: choose from {', '.join(PARTS)}")
    if options.requests < 1 or options.minutes < 0 or options.rate < 0 or not 0 <= options.faults <= 1:
        parser.error("--requests is 1 or more, --minutes and --rate are 0 or more, --faults is from 0 to 1")
    return options


def docs_folder(options: argparse.Namespace) -> Path | None:
    """The folder to write to, if --write was given."""
    return DOCS if options.write else None


def bench(
    names: Sequence[str],
    *,
    as_json: bool = False,
    measure: Callable[[str], Part],
    docs: Path | None = None,
) -> int:
    """Measure the named parts; if one fails, the others are measured and its earlier results are kept.

    Args:
        names: the parts.
        as_json: print the results as JSON on standard output.
        measure: measures a part.
        docs: the folder of benchmarks.json and benchmarks.md; None writes no file.

    Returns:
        The exit code: 1 if a part failed or does not meet a required claim.
    """
    failed = 0
    for name in names:
        ERR.print(f"[bold]{name}[/]")
        try:
            result = _result(measure(name))
        except Exception as error:  # noqa: BLE001 - whatever it is, the others can still be measured
            failed = 1
            ERR.print(f"{name} failed: {_reason(error)}", style="red", **_PLAIN)
            continue
        if docs:
            _keep(name, result, docs)
        _show(result)
        failed |= any(claim["required"] and not claim["holds"] for claim in result["part"]["claims"])
        if as_json:
            OUT.print_json(json.dumps({name: result}))
    if not docs:
        ERR.print("docs/benchmarks.* were not changed: pass --write to write them")
    return failed


def _reason(error: Exception) -> str:
    """The whole message, the line of the bench that failed, and for a command its last lines of output."""
    frames = traceback.extract_tb(error.__traceback__)
    places = [frame for frame in frames if Path(frame.filename).is_relative_to(DOCS.parent)]
    place = f"\n  in {Path(places[-1].filename).name}, line {places[-1].lineno}" if places else ""
    output = getattr(error, "stderr", None) or getattr(error, "output", None) or ""
    text = output.decode("utf-8", "replace") if isinstance(output, bytes) else str(output)
    lines = [f"\n  {line}" for line in text.strip().splitlines()[-5:]]
    return f"{type(error).__name__}: {error}{place}{''.join(lines)}"


def _measure(name: str, options: argparse.Namespace) -> Part:
    module = importlib.import_module(f"tools.bench.{name.replace('-', '_')}")
    if name == "soak":
        plan = Plan(options.requests, options.minutes, options.rate, options.faults)
        return cast("Part", module.measure(plan))
    return cast("Part", module.measure())


def _result(part: Part) -> dict[str, Any]:
    shipped = ("strands-agents", "langfuse", "opentelemetry-sdk", "boto3")
    return {
        "measured": f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}",
        "commit": commit(),
        "machine": machine(),
        "versions": ", ".join(f"{package} {version(package)}" for package in shipped),
        "part": asdict(part),
    }


def _keep(name: str, result: dict[str, Any], docs: Path) -> None:
    file = docs / "benchmarks.json"
    results = json.loads(file.read_text("utf-8")) if file.exists() else {}
    results[name] = result
    ordered = {name: results[name] for name in PARTS if name in results}
    cache.write(file, (json.dumps(ordered, indent=1, ensure_ascii=False) + "\n").encode())
    results = json.loads(file.read_text("utf-8"))
    page.write(results, docs / "benchmarks.md")
    if name == "recipes":
        from tools.bench import recipes  # noqa: PLC0415 - it is slow to import

        recipe_costs.write(results, docs / "recipes", recipes.agents_of_pages())


def _show(result: dict[str, Any]) -> None:
    for table in result["part"]["tables"]:
        shown = Shown(*table["columns"], title=table["title"])
        for row in table["rows"]:
            shown.add_row(*(figure(cell) if isinstance(cell, float) else str(cell) for cell in row))
        ERR.print(shown)
    for claim in result["part"]["claims"]:
        sign = "[green]✓[/]" if claim["holds"] else "[red]✗[/]"
        ERR.print(f"{sign} {claim['what']}: {claim['measured']} (wanted {claim['wanted']})")
    for peer, why in result["part"]["absent"].items():
        ERR.print(f"[yellow]not measured[/] {peer}: {why}")


if __name__ == "__main__":
    run(main)
