"""`hatch run bench [part …]`: measure, and write docs/benchmarks.json and docs/benchmarks.md."""

import argparse
import datetime
import importlib
import json
import os
import platform
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.table import Table as Shown

from tools.bench import page
from tools.bench.result import Part, figure
from tools.command import ERR, OUT, run

PARTS = ("layers", "cold-start", "warm", "traces", "stream", "synth")
DOCS = Path(__file__).parents[2] / "docs"
RESULTS = DOCS / "benchmarks.json"


def main() -> int:
    """Measure the parts named, all of them without a name; each part's findings are kept as it ends."""
    parser = argparse.ArgumentParser(prog="hatch run bench", description=__doc__)
    parser.add_argument("part", nargs="*", help=f"one of {', '.join(PARTS)}; all of them by default")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON, too")
    options = parser.parse_args()
    if unknown := set(options.part) - set(PARTS):
        parser.error(f"no part is called {', '.join(sorted(unknown))}: choose from {', '.join(PARTS)}")
    for name in options.part or PARTS:
        ERR.print(f"[bold]{name}[/]")
        result = _result(_measure(name))
        _keep(name, result)
        _show(result)
        if options.json:
            OUT.print_json(json.dumps({name: result}))
    return 0


def _measure(name: str) -> Part:
    part: Part = importlib.import_module(f"tools.bench.{name.replace('-', '_')}").measure()
    return part


def _result(part: Part) -> dict[str, Any]:
    shipped = ("strands-agents", "langfuse", "opentelemetry-sdk", "boto3")
    return {
        "measured": f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}",
        "machine": f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}",
        "versions": ", ".join(f"{package} {version(package)}" for package in shipped),
        "part": asdict(part),
    }


def _keep(name: str, result: dict[str, Any]) -> None:
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    results[name] = result
    ordered = {name: results[name] for name in PARTS if name in results}
    half = RESULTS.with_suffix(".part")
    half.write_text(json.dumps(ordered, indent=1, ensure_ascii=False) + "\n")
    half.replace(RESULTS)
    page.write(json.loads(RESULTS.read_text()), DOCS / "benchmarks.md")


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
