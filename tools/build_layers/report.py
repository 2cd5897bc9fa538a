"""What the builder tells: to people in lines and tables, to programs in JSON."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

from rich.table import Table

from layers import Layer
from tools.build_layers.limits import UNZIPPED, ZIPPED
from tools.build_layers.verdict import Verdict
from tools.command import ERR, OUT

_SHOWN = 10
"""Breaches of one gate that people get to read."""


def sizes(stack: Sequence[Layer]) -> None:
    """Print what the layers weigh, and what Lambda takes."""
    manifests = [layer.read_manifest() for layer in stack]
    table = Table("layer", box=None)
    for heading in ("distributions", "MB zipped", "MB unzipped"):
        table.add_column(heading, justify="right")
    for manifest in manifests:
        weight = (_megabytes(manifest[key]) for key in ("bytes_zipped", "bytes_unzipped"))
        table.add_row(manifest["name"], str(len(manifest["distributions"])), *weight)
    totals = [sum(manifest[key] for manifest in manifests) for key in ("bytes_zipped", "bytes_unzipped")]
    table.add_row("together", "", *map(_megabytes, totals))
    table.add_row("Lambda takes", "", f"each {_megabytes(ZIPPED)}", _megabytes(UNZIPPED), style="dim")
    OUT.print(table)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f}"


def gates(verdict: Verdict) -> None:
    """Print how each gate was passed."""
    counts = Counter(breach.gate for breach in verdict.breaches)
    for name in verdict.gates:
        outcome = f"[red]failed [/] {name}: {counts[name]:,}" if counts[name] else f"[green]passed [/] {name}"
        OUT.print(outcome, highlight=False)
    for name, reason in verdict.skipped.items():
        OUT.print(f"[yellow]skipped[/] {name}: {reason}", highlight=False)


def breaches(verdict: Verdict) -> None:
    """Print what the gates stopped, a line each; of very many alike, the first."""
    for gate in verdict.gates:
        messages = [breach.message for breach in verdict.breaches if breach.gate == gate]
        for message in messages[:_SHOWN]:
            ERR.print(f"{gate}: {message}", markup=False, highlight=False, soft_wrap=True)
        if (more := len(messages) - _SHOWN) > 0:
            ERR.print(f"{gate}: and {more:,} more (`check-layers --json` lists all)", highlight=False)


def as_json(verdict: Verdict) -> str:
    """The verdict for programs."""
    return json.dumps({"passed": verdict.passed, **asdict(verdict)}, indent=1)
