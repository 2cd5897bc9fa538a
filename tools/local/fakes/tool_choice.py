"""Which of the agent's tools the fake model calls for each question, and with which input.

It knows arithmetic and percentages, conversions of units, the knowledge base, and the time in a city. A tool
is recognised by a part of its name (`calc`, `conver`, `knowledge`, `time`);
its parameters are filled in their order.
"""

import re
import zoneinfo
from collections.abc import Mapping, Sequence
from typing import Any

Properties = Mapping[str, Any]
"""A tool's parameters, by name."""

Call = tuple[str, dict[str, Any]]

_NUMBER = r"-?\d+(?:,\d{3})*(?:\.\d+)?"
_ARITHMETIC = re.compile(r"[\d(][\d\s.()]*(?:(?:\*\*|[-+*/%^])[\s(]*[\d(][\d\s.()]*)+")
_PERCENTAGE = re.compile(rf"({_NUMBER})\s*(?:%|percent)\s+of\s+({_NUMBER})")
_UNIT = r"[a-zA-Z°µ/]+"
_HOW_MANY = re.compile(rf"how (?:many|much) ({_UNIT})\b[^\d-]*({_NUMBER})\s*({_UNIT})", re.IGNORECASE)
_IN_UNITS = re.compile(rf"({_NUMBER})\s*({_UNIT})\b.*\b(?:to|in|into|as)\s+({_UNIT})", re.DOTALL)
_TIME = re.compile(r"\b(time|date|day|today|now)\b", re.IGNORECASE)
_NEXT_QUESTION = re.compile(r"\?\s+|,?\s+and\s+(?=(?:what|when|how)\b)", re.IGNORECASE)
_UNITS = {
    **dict.fromkeys(("mile", "miles"), "mi"),
    **dict.fromkeys(("kilometer", "kilometers", "kilometre", "kilometres"), "km"),
    **dict.fromkeys(("meter", "meters", "metre", "metres"), "m"),
    **dict.fromkeys(("foot", "feet"), "ft"),
    **dict.fromkeys(("inch", "inches"), "in"),
    **dict.fromkeys(("pound", "pounds", "lbs"), "lb"),
    **dict.fromkeys(("kilogram", "kilograms", "kilo", "kilos"), "kg"),
    **dict.fromkeys(("ounce", "ounces"), "oz"),
    **dict.fromkeys(("liter", "liters", "litre", "litres"), "l"),
    **dict.fromkeys(("gallon", "gallons"), "gal"),
    **dict.fromkeys(("hour", "hours"), "h"),
    **dict.fromkeys(("minute", "minutes"), "min"),
    **dict.fromkeys(("second", "seconds"), "s"),
    **dict.fromkeys(("celsius", "°c", "c"), "degC"),
    **dict.fromkeys(("fahrenheit", "°f", "f"), "degF"),
}
"""The short names of units that people write out."""

_SHORT = {*_UNITS.values(), "cm", "mm", "yd", "g", "mg", "t", "ml", "m3", "pt", "cup", "d", "ms", "wk"} | {
    *("m/s", "km/h", "mph", "kn", "K")
}


def choose_all(query: str, tools: Mapping[str, Properties]) -> list[Call]:
    """The tools to call at once: one for each question in the query that a tool fits, none twice."""
    calls = filter(None, (choose(question, tools) for question in _NEXT_QUESTION.split(query)))
    return list({repr(call): call for call in calls}.values())


def choose(query: str, tools: Mapping[str, Properties]) -> Call | None:
    """The tool to call and its input; None if no tool fits the question."""
    plain = re.sub(r"\[\[.*?\]\]", "", query)
    if (given := _conversion(plain)) and (name := named(tools, "conver")):
        return name, inputs(tools[name], given)
    if (expression := _expression(plain)) and (name := named(tools, "calc")):
        return name, inputs(tools[name], [expression])
    if "knowledge base" in plain and (name := named(tools, "knowledge")):
        return name, inputs(tools[name], [plain.strip()])
    if _TIME.search(plain) and (name := named(tools, "time")):
        zone = _zone(plain)
        return name, inputs(tools[name], [zone] if zone else [])
    return None


def named(tools: Mapping[str, Properties], part: str) -> str | None:
    """The first tool whose name contains this."""
    return next((name for name in tools if part in name), None)


def inputs(properties: Properties, values: Sequence[Any]) -> dict[str, Any]:
    """The values for the first parameters."""
    return dict(zip(properties, values, strict=False))


def _conversion(text: str) -> list[Any] | None:
    if found := _HOW_MANY.search(text):
        to_unit, value, from_unit = found.groups()
    elif found := _IN_UNITS.search(text):
        value, from_unit, to_unit = found.groups()
    else:
        return None
    units = [_UNITS.get(unit.lower(), unit) for unit in (from_unit, to_unit)]
    if units[0] not in _SHORT and units[1] not in _SHORT:  # no quantity, as in "3 cats in town"
        return None
    return [float(value.replace(",", "")), *units]


def _expression(text: str) -> str | None:
    if found := _PERCENTAGE.search(text):
        return f"{found[1]} / 100 * {found[2]}".replace(",", "")
    found = _ARITHMETIC.search(text)
    return found[0].strip().replace("^", "**") if found else None


def _zone(text: str) -> str | None:
    """The time zone of the first city in the text that the time zone database names."""
    words = text.casefold()
    cities = {zone.rpartition("/")[2].replace("_", " ").casefold(): zone for zone in _zones()}
    found = [
        (words.index(city), zone)
        for city, zone in cities.items()
        if re.search(rf"\b{re.escape(city)}\b", words)
    ]
    return min(found)[1] if found else None


def _zones() -> list[str]:
    return sorted(
        zone
        for zone in zoneinfo.available_timezones()
        if "/" in zone and not zone.startswith(("Etc/", "posix", "right"))
    )
