"""Writes docs/benchmarks.md and its charts from the results in the JSON file alone."""

import io
import itertools
from pathlib import Path
from typing import Any

from tools import cache
from tools.bench.result import figure

_COLOUR = "#4f46e5"
_OTHERS = "#94a3b8"
_LINES = (_COLOUR, _OTHERS, "#0d9488", "#d97706")


def write(results: dict[str, Any], page: Path) -> None:
    """Write the page and the charts it shows; `results` as the file holds them."""
    charts = page.parent / "charts"
    charts.mkdir(exist_ok=True)
    sections = [_head(results)]
    for name, result in results.items():
        sections.append(_section(name, result))
        for number, chart in enumerate(result["part"]["charts"]):
            file = charts / f"{name}-{number}.svg"
            cache.write(file, _svg(chart).encode())
            sections.append(f"![{chart['title']}](charts/{file.name})\n")
    cache.write(page, "\n".join(sections).encode())


def _head(results: dict[str, Any]) -> str:
    return (
        "# Benchmarks\n\n"
        "`hatch run bench --write` writes this page from [benchmarks.json](benchmarks.json); do not edit\n"
        "it. Values that are compared were measured in turns, in one run on one machine: trust the ratios,\n"
        "not the absolute values. A value is a median; the range in brackets holds the middle half of the\n"
        "samples.\n\n"
        f"{_origin(results)}\n"
    )


def _origin(results: dict[str, Any]) -> str:
    """The commit and machine of all parts, or of each group of parts that were measured together."""
    groups: dict[tuple[str, str], list[str]] = {}
    for name, result in results.items():
        origin = (result.get("commit", "not recorded"), result["machine"])
        groups.setdefault(origin, []).append(name)
    lines = []
    for (commit, machine), names in groups.items():
        parts = "All parts" if len(groups) == 1 else f"Parts {', '.join(names)}"
        lines.append(f"{parts}: commit {commit}, machine: {machine}.")
    return "\n".join(lines)


def _section(name: str, result: dict[str, Any]) -> str:
    part = result["part"]
    command = f"hatch run bench {name} {part.get('options', '')}".strip()
    lines = [
        f"## {part['title']}\n",
        f"`{command}` · {result['measured']} · {result['versions']}\n",
    ]
    for table in part["tables"]:
        lines += [f"### {table['title']}\n", markdown_table(table["columns"], table["rows"]), ""]
        if table["note"]:
            lines.append(table["note"] + "\n")
    if part["claims"]:
        lines += _claims(part["claims"])
    if part["absent"]:
        lines += [
            "Not measured: " + "; ".join(f"{peer} ({why})" for peer, why in part["absent"].items()) + ".\n"
        ]
    return "\n".join(lines)


def _claims(claims: list[dict[str, Any]]) -> list[str]:
    rows = [[c["what"], c["wanted"], c["measured"], "yes" if c["holds"] else "**no**"] for c in claims]
    missed = [f"- {c['what']}: {c['reason']}" for c in claims if not c["holds"] and c.get("reason")]
    lines = ["### Claims\n", markdown_table(["claim", "wanted", "measured", "holds"], rows), ""]
    return [*lines, "Why a goal is not met:\n", *missed, ""] if missed else lines


def markdown_table(columns: list[str], rows: list[list[Any]]) -> str:
    """A table whose numbers have three significant digits."""
    lines = [columns, ["---"] * len(columns), *([_cell(value) for value in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return figure(value)
    return f"{value:,}" if isinstance(value, int) else str(value).replace("|", "\\|")


def _svg(chart: dict[str, Any]) -> str:
    import matplotlib as mpl  # noqa: PLC0415 - most commands draw no chart, and it takes a second to import
    from matplotlib.figure import Figure  # noqa: PLC0415

    with mpl.rc_context({"svg.hashsalt": "strands-langfuse-lambda", "font.size": 10, "svg.fonttype": "none"}):
        rows = max(len(chart["bars"]), 1)
        drawing = Figure(figsize=(8, 3.6 if chart["lines"] else 0.8 + 0.42 * rows), layout="constrained")
        axes = drawing.subplots()
        axes.set_title(chart["title"], loc="left", fontweight="bold")
        axes.spines[["top", "right"]].set_visible(False)
        if chart["lines"]:
            for (label, points), colour in zip(chart["lines"].items(), itertools.cycle(_LINES), strict=False):
                axes.plot(*zip(*points, strict=True), marker="o", label=label, color=colour)
            axes.set_xticks(sorted({x for points in chart["lines"].values() for x, _ in points}))
            axes.set_ylim(bottom=0)
            axes.set_xlabel(chart["x_title"])
            axes.set_ylabel(chart["unit"])
            axes.legend(frameon=False)
        else:
            names = list(reversed(chart["bars"]))
            colours = [_COLOUR if "ours" in name else _OTHERS for name in names]
            drawn = axes.barh(names, [chart["bars"][name] for name in names], color=colours)
            axes.bar_label(drawn, labels=[figure(chart["bars"][name]) for name in names], padding=4)
            axes.set_xlabel(chart["unit"])
        text = io.StringIO()
        drawing.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()
