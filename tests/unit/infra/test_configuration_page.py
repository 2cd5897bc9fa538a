"""docs/configuration.md says what the code does."""

from dataclasses import Field, fields
from pathlib import Path
from typing import Any

from infra.context import variables
from infra.options import Options
from traced_agent.settings import Settings

PAGE = (Path(__file__).parents[3] / "docs" / "configuration.md").read_text("utf-8")


def _table(heading: str) -> list[tuple[str, ...]]:
    """The rows of the first table under a heading, but for what each says."""
    section = PAGE.split(f"## {heading}")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("|")][2:]
    return [tuple(cell.strip() for cell in row.strip("|").split("|"))[:-1] for row in rows]


def _spelled(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _default(field: Field[Any]) -> str:
    value = str(field.default).lower() if isinstance(field.default, bool) else field.default
    return "" if value in ("", None, ()) else f"`{value}`"


def test_every_context_key_is_listed_with_its_variables_and_default() -> None:
    assert _table("The stack") == [
        (f"`{key.name}`", _spelled(variables(key)), _default(key)) for key in fields(Options)
    ]


def test_every_setting_is_listed_with_its_default() -> None:
    assert _table("The function") == [
        (_spelled(setting.metadata["names"]), _default(setting)) for setting in fields(Settings)
    ]
