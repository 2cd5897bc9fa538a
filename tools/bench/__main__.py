"""`hatch run bench [part …]`: measure, and write docs/benchmarks.json and docs/benchmarks.md."""

import argparse
import datetime
import importlib
import json
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.table import Table as Shown

from tools import cache
from tools.bench import page
from tools.bench.result import Part, figure
from tools.command import ERR, OUT, run

PARTS = ("layers", "cold-start", "warm", "traces", "stream", "synth")
DOCS = Path(__file__).parents[2] / "docs"


def main() -> int:
    """Measure the parts named, all of them without a name; each part's findings are kept as it ends."""
    parser = argparse.ArgumentParser(prog="hatch run bench", description=__doc__)
    parser.add_argument("part", nargs="*", help=f"one of {', '.join(PARTS)}; all of them by default")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON, too")
    options = parser.parse_args()
    if unknown := set(options.part) - set(PARTS):
        parser.error(f"no part is called {', '.join(sorted(unknown))}: choose from {', '.join(PARTS)}")
    return bench(options.part or PARTS, as_json=options.json)


def bench(
    names: Sequence[str],
    *,
    as_json: bool = False,
    measure: Callable[[str], Part] | None = None,
    docs: Path = DOCS,
) -> int:
    """Measure the parts named; one that fails stops no other, and leaves what was found of it before.

    Returns:
        The exit code: 1 if one failed.
    """
    failed = 0
    for name in names:
        ERR.print(f"[bold]{name}[/]")
        try:
            result = _result((measure or _measure)(name))
        except Exception as error:  # noqa: BLE001 - whatever it is, the others can still be measured
            failed = 1
            reason = f"{name} failed: {type(error).__name__}: {error}".splitlines()[0]
            ERR.print(reason, style="red", markup=False)
            continue
        _keep(name, result, docs)
        _show(result)
        if as_json:
            OUT.print_json(json.dumps({name: result}))
    return failed


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


def _keep(name: str, result: dict[str, Any], docs: Path) -> None:
    file = docs / "benchmarks.json"
    results = json.loads(file.read_text("utf-8")) if file.exists() else {}
    results[name] = result
    ordered = {name: results[name] for name in PARTS if name in results}
    cache.write(file, (json.dumps(ordered, indent=1, ensure_ascii=False) + "\n").encode())
    page.write(json.loads(file.read_text("utf-8")), docs / "benchmarks.md")


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
