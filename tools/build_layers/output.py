"""What the commands print: lines and tables for people, JSON for programs."""

import json
from collections import Counter
from collections.abc import Sequence

from rich.table import Table

from layers import Layer
from tools.build_layers.checks.result import Report
from tools.build_layers.limits import UNZIPPED, ZIPPED
from tools.command import ERR, OUT

_SHOWN = 10
"""Violations of one check that are printed."""


def sizes(stack: Sequence[Layer]) -> None:
    """Print the sizes of the layers and Lambda's limits."""
    manifests = [layer.read_manifest() for layer in stack]
    table = Table("layer", box=None)
    for heading in ("distributions", "MB zipped", "MB unzipped"):
        table.add_column(heading, justify="right")
    for manifest in manifests:
        weight = (_megabytes(manifest[key]) for key in ("bytes_zipped", "bytes_unzipped"))
        table.add_row(manifest["name"], str(len(manifest["distributions"])), *weight)
    totals = [sum(manifest[key] for manifest in manifests) for key in ("bytes_zipped", "bytes_unzipped")]
    table.add_row("together", "", *map(_megabytes, totals))
    table.add_row("Lambda's limit", "", f"each {_megabytes(ZIPPED)}", _megabytes(UNZIPPED), style="dim")
    OUT.print(table)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f}"


def checks(report: Report) -> None:
    """Print the result of each check."""
    counts = Counter(violation.check for violation in report.violations)
    for name in report.checks:
        outcome = f"[red]failed [/] {name}: {counts[name]:,}" if counts[name] else f"[green]passed [/] {name}"
        OUT.print(outcome, highlight=False)
    for name, reason in report.skipped.items():
        OUT.print(f"[yellow]not run[/] {name}: {reason}", highlight=False)


def violations(report: Report) -> None:
    """Print the violations, a line each; of a check with very many, the first."""
    for check in report.checks:
        messages = [violation.message for violation in report.violations if violation.check == check]
        for message in messages[:_SHOWN]:
            ERR.print(f"{check}: {message}", markup=False, highlight=False, soft_wrap=True)
        if (more := len(messages) - _SHOWN) > 0:
            ERR.print(f"{check}: and {more:,} more (`check-layers --json` lists all)", highlight=False)


def as_json(report: Report) -> str:
    """The report for programs; programs rely on these names."""
    found = [{"gate": violation.check, "message": violation.message} for violation in report.violations]
    fields = {"gates": list(report.checks), "skipped": dict(report.skipped), "breaches": found}
    return json.dumps({"passed": report.passed, **fields}, indent=1)
