"""Fills a JSON schema with the least value that it accepts, for the fake model's structured output."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

_FORMATS = {
    "date": dt.date(2026, 1, 1).isoformat(),
    "date-time": dt.datetime(2026, 1, 1, tzinfo=dt.UTC).isoformat(),
    "time": "00:00:00Z",
    "duration": "PT1S",
    "email": "someone@example.com",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
}
_CHOICES = ("anyOf", "oneOf")

Schema = Mapping[str, Any]


def fill(schema: Schema) -> Any:
    """The same value for the same schema, with the required properties only.

    Args:
        schema: as pydantic writes it: references are to its own `$defs`.

    Raises:
        ValueError: the schema has a type that no pydantic model produces.
    """
    return _fill(schema, schema.get("$defs", {}))


def _fill(schema: Schema, parts: Mapping[str, Schema]) -> Any:
    if "$ref" in schema:
        return _fill(parts[schema["$ref"].rpartition("/")[2]], parts)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    for choice in _CHOICES:
        if choice in schema:
            return _fill(schema[choice][0], parts)
    if "allOf" in schema:
        return _fill({**schema["allOf"][0], **{k: v for k, v in schema.items() if k != "allOf"}}, parts)
    return _by_type(schema, parts)


def _by_type(schema: Schema, parts: Mapping[str, Schema]) -> Any:
    kind = schema.get("type", "object")
    kind = kind[0] if isinstance(kind, list) else kind
    match kind:
        case "object":
            properties = schema.get("properties", {})
            return {name: _fill(properties.get(name, {}), parts) for name in schema.get("required", ())}
        case "array":
            return _array(schema, parts)
        case "string":
            return _string(schema)
        case "integer" | "number":
            return _number(schema, kind)
        case "boolean":
            return True
        case "null":
            return None
    raise ValueError(f"a JSON schema with the unknown type {kind!r}")


def _array(schema: Schema, parts: Mapping[str, Schema]) -> list[Any]:
    first = [_fill(item, parts) for item in schema.get("prefixItems", ())]
    missing = max(schema.get("minItems", 1) - len(first), 0) if "items" in schema else 0
    return first + [_fill(schema["items"], parts) for _ in range(missing)]


def _string(schema: Schema) -> str:
    if "pattern" in schema:
        # Imported only here: few schemas have a pattern, and the import takes a second.
        from hypothesis import find  # noqa: PLC0415
        from hypothesis import strategies as st  # noqa: PLC0415

        texts: st.SearchStrategy[str] = st.from_regex(schema["pattern"]).map(str)
        return find(texts, lambda text: len(text) >= schema.get("minLength", 0))
    text = _FORMATS.get(schema.get("format", ""), "text")
    return text.ljust(schema.get("minLength", 0), "x")[: schema.get("maxLength")]


def _number(schema: Schema, kind: str) -> float:
    step = schema.get("multipleOf", 1 if kind == "integer" else 0.5)
    if "exclusiveMinimum" in schema:
        least = (schema["exclusiveMinimum"] // step + 1) * step
    elif "minimum" in schema:
        least = -(-schema["minimum"] // step) * step
    else:
        most = schema.get("maximum", schema.get("exclusiveMaximum", 2 * step) - step)
        least = min(step, most // step * step)
    return int(least) if kind == "integer" else float(least)
