"""The result of a part of the bench, in the shape of docs/benchmarks.json."""

import statistics
from dataclasses import dataclass, field

Cell = str | float | int


@dataclass(frozen=True)
class Table:
    """Rows to compare; a number is shown with three significant digits."""

    title: str
    columns: list[str]
    rows: list[list[Cell]]
    note: str = ""


@dataclass(frozen=True)
class Claim:
    """A goal, the measured value, and whether the goal is met."""

    what: str
    wanted: str
    measured: str
    holds: bool
    required: bool = False
    """Whether the bench fails if it does not hold."""
    reason: str = ""
    """Why it cannot hold yet; the page shows it only if the claim does not hold."""


@dataclass(frozen=True)
class Chart:
    """Named series over one axis: points `(x, y)` make lines, names alone make bars."""

    title: str
    unit: str
    bars: dict[str, float] = field(default_factory=dict)
    lines: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    x_title: str = ""


@dataclass(frozen=True)
class Part:
    """One part's tables, claims and charts; `absent` has the reasons of the variants that could not run."""

    title: str
    tables: list[Table]
    claims: list[Claim] = field(default_factory=list)
    charts: list[Chart] = field(default_factory=list)
    absent: dict[str, str] = field(default_factory=dict)
    options: str = ""
    """The options of the run that differ from the defaults, as on the command line."""


def figure(value: float) -> str:
    """A number with three significant digits; without decimals from 100 on."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def at_most(what: str, measured: float, wanted: float, unit: str = "", *, reason: str = "") -> Claim:
    """A claim that a measured number is at most the wanted one."""
    shown = f"≤ {figure(wanted)}{unit}", f"{figure(measured)}{unit}"
    return Claim(what, *shown, holds=measured <= wanted, reason=reason)


def none_of(what: str, found: int) -> Claim:
    """A required claim that something did not happen."""
    return Claim(what, "0", f"{found:,}", found == 0, required=True)


def spread(samples: list[float]) -> str:
    """The median of the samples and the range of their middle half; the whole range of fewer than four."""
    if len(samples) < 4:
        low, middle, high = min(samples), statistics.median(samples), max(samples)
    else:
        low, middle, high = statistics.quantiles(samples, n=4)
    return f"{figure(middle)} ({figure(low)} to {figure(high)})"
