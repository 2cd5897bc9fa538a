"""What the commands print: lines and tables for people, JSON for programs."""

import json
from collections import Counter
from collections.abc import Sequence

from rich.table import Table

from layers import Layer
from tools.build_layers.checks.remedies import REMEDIES
from tools.build_layers.checks.result import Report, Violation
from tools.build_layers.limits import UNZIPPED
from tools.command import ERR, OUT

_SHOWN = 10
"""Violations of one check that are printed."""

_WARNINGS_SHOWN = 3


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
    table.add_row("Lambda's limit", "", "", _megabytes(UNZIPPED), style="dim")
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


def findings(report: Report) -> None:
    """Print the violations with their remedy, and the number of warnings; of very many, the first."""
    for check in report.checks:
        violations = [found.message for found in report.violations if found.check == check]
        warnings = [found.message for found in report.warnings if found.check == check]
        if violations:
            _print(check, violations, _SHOWN)
            _line(f"{check}: to correct this: {REMEDIES[check]}")
        if warnings:
            _line(f"warning: {check}: {len(warnings):,} harmless (`check-layers --strict` rejects them)")
            _print(f"warning: {check}", warnings, _WARNINGS_SHOWN)


def _print(check: str, messages: Sequence[str], shown: int) -> None:
    for message in messages[:shown]:
        _line(f"{check}: {message}")
    if (more := len(messages) - shown) > 0:
        _line(f"{check}: and {more:,} more (`check-layers --json` lists all)")


def _line(text: str) -> None:
    ERR.print(text, markup=False, highlight=False, soft_wrap=True)


def as_json(report: Report) -> str:
    """The report for programs; programs rely on these names."""
    fields = {
        "passed": report.passed,
        "gates": list(report.checks),
        "skipped": dict(report.skipped),
        "breaches": [_as_json(violation) for violation in report.violations],
        "warnings": [_as_json(warning) for warning in report.warnings],
    }
    return json.dumps(fields, indent=1)


def _as_json(found: Violation) -> dict[str, str]:
    return {"gate": found.check, "message": found.message, "remedy": REMEDIES[found.check]}
