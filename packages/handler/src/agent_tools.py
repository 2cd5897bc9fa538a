"""Your agent's tools: small functions that need no network. Edit this file."""

import ast
import datetime as dt
import math
import operator
import zoneinfo
from collections.abc import Callable
from typing import Any

from strands import tool


@tool
def calculator(expression: str) -> str:
    """Calculate an arithmetic expression exactly as written.

    Args:
        expression: Numbers with + - * / // % **, parentheses, pi, e, and abs, round, min, max, sqrt, log,
            exp, sin, cos, tan; for example "2 * (3 + 4)".
    """
    return calculate(expression)


@tool
def current_time(timezone: str = "UTC") -> str:
    """Tell the current date and time.

    Args:
        timezone: An IANA name such as "UTC" or "Europe/Berlin".
    """
    return dt.datetime.now(_zone(timezone)).isoformat(timespec="seconds")


@tool
def convert_units(value: float, from_unit: str, to_unit: str) -> str:
    """Convert a quantity between units of length, mass, volume, time, speed or temperature.

    Args:
        value: How much.
        from_unit: Its unit, for example "km", "lb", "degC".
        to_unit: The unit wanted, for example "mi", "kg", "degF".
    """
    return f"{convert(value, from_unit, to_unit):.10g} {to_unit}"


_OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}
_MAX_CHARACTERS = 200
_MAX_BITS = 4096
_MAX_DIGITS = 400
"""More decimal places than a float has."""


def _round(number: float, digits: int = 0, /) -> int | float:
    """Round half to even; the digits are limited first, because `round(1, -n)` computes 10**n."""
    if abs(digits) > _MAX_DIGITS:
        raise ValueError(f"round takes at most {_MAX_DIGITS} digits")
    return round(number, digits) if digits else round(number)


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "round": _round,
    **{function.__name__: function for function in (abs, min, max)},
    **{name: getattr(math, name) for name in ("sqrt", "log", "exp", "sin", "cos", "tan")},
}
_NAMES = {"pi": math.pi, "e": math.e}


def calculate(expression: str) -> str:
    """Calculate an arithmetic expression, without access to any name or attribute of Python.

    Integers have at most 4096 bits, and every operation is limited before it runs: one long operation in C
    would hold the interpreter's lock, so that not even the deadline of the run could end it.

    Raises:
        ValueError: it is not arithmetic, has no real value, or is too large; the message says which.
    """
    if len(expression) > _MAX_CHARACTERS:
        raise ValueError(f"the expression is over {_MAX_CHARACTERS} characters")
    try:
        value = _value(ast.parse(expression.strip(), mode="eval").body)
    except (SyntaxError, RecursionError, MemoryError):
        raise ValueError("not an arithmetic expression") from None
    except (ArithmeticError, TypeError) as error:
        raise ValueError(f"it has no value: {error}") from None
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def _value(node: ast.AST) -> int | float:
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return number
        case ast.Name(id=name) if name in _NAMES:
            return _NAMES[name]
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _OPERATORS:
            return _real(_OPERATORS[type(op)](_value(operand)))
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            return _power(_value(left), _value(right))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _real(_OPERATORS[type(op)](_value(left), _value(right)))
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in _FUNCTIONS:
            return _real(_FUNCTIONS[name](*map(_value, args)))
    raise ValueError("use only numbers, + - * / // % **, parentheses and the named functions")


def _power(base: float, exponent: float) -> int | float:
    """Calculate a power, if its size allows it: 9**9**9 would take hours."""
    if isinstance(base, int) and abs(exponent) * base.bit_length() > _MAX_BITS:
        raise ValueError("the power is too large")
    return _real(base**exponent)


def _real(value: Any) -> int | float:
    if isinstance(value, complex):
        raise TypeError("it is not real")
    if isinstance(value, int) and value.bit_length() > _MAX_BITS:
        raise ValueError("the number is too large")
    return value  # type: ignore[no-any-return]


def _zone(name: str) -> dt.tzinfo:
    if name.upper() in ("UTC", "Z", "GMT"):
        return dt.UTC
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"unknown time zone {name!r}: use an IANA name, or UTC") from None


_UNITS: dict[str, dict[str, float]] = {
    "length": {
        "m": 1,
        "mm": 0.001,
        "cm": 0.01,
        "km": 1000,
        "in": 0.0254,
        "ft": 0.3048,
        "yd": 0.9144,
        "mi": 1609.344,
    },
    "mass": {"kg": 1, "mg": 1e-6, "g": 0.001, "t": 1000, "oz": 0.028349523125, "lb": 0.45359237},
    "volume": {"l": 1, "ml": 0.001, "m3": 1000, "gal": 3.785411784, "pt": 0.473176473, "cup": 0.2365882365},
    "time": {"s": 1, "ms": 0.001, "min": 60, "h": 3600, "d": 86400, "wk": 604800},
    "speed": {"m/s": 1, "km/h": 1 / 3.6, "mph": 0.44704, "kn": 1852 / 3600},
}
_DEGREES = {"degC": (1.0, 273.15), "degF": (5 / 9, 459.67 * 5 / 9), "K": (1.0, 0.0)}


def convert(value: float, from_unit: str, to_unit: str) -> float:
    """Convert a quantity to another unit.

    Raises:
        ValueError: a unit is unknown, or the units measure different quantities; the message lists all units.
    """
    if from_unit in _DEGREES and to_unit in _DEGREES:
        (scale, offset), (to_scale, to_offset) = _DEGREES[from_unit], _DEGREES[to_unit]
        return (value * scale + offset - to_offset) / to_scale
    for units in _UNITS.values():
        if from_unit in units and to_unit in units:
            return value * units[from_unit] / units[to_unit]
    known = "; ".join(", ".join(units) for units in [*map(list, _UNITS.values()), list(_DEGREES)])
    raise ValueError(f"cannot convert {from_unit!r} to {to_unit!r}: the units are {known}")
