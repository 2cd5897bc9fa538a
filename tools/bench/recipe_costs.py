"""Writes what each recipe costs into its page, from the results in docs/benchmarks.json."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tools import cache
from tools.bench.page import markdown_table

BEGIN = "<!-- costs: `hatch run bench recipes --write` writes these lines -->\n"
END = "<!-- end of costs -->\n"

_BLOCK = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
_NOT_MEASURED = "Not measured yet: run `hatch run bench recipes --write`.\n"


def costs(agents: list[str], results: Mapping[str, Any]) -> str:
    """The lines of a page: the rows of these agents in the bench's table, and what the columns mean.

    Args:
        agents: the first cells of the rows.
        results: the content of docs/benchmarks.json.
    """
    if "recipes" not in results:
        return BEGIN + _NOT_MEASURED + END
    (table,) = results["recipes"]["part"]["tables"]
    rows = [row for row in table["rows"] if row[0] in agents]
    note = f"{table['title']} ([how it was measured](../benchmarks.md#recipes)):"
    return f"{BEGIN}{note}\n\n{markdown_table(table['columns'], rows)}\n{END}"


def update(text: str, agents: list[str], results: Mapping[str, Any]) -> str:
    """A page's text with its costs."""
    return _BLOCK.sub(lambda _: costs(agents, results), text)


def write(results: Mapping[str, Any], folder: Path, agents_of_pages: Mapping[str, list[str]]) -> None:
    """Write the costs into each page of the folder `docs/recipes`."""
    for page, agents in agents_of_pages.items():
        path = folder / f"{page}.md"
        cache.write(path, update(path.read_text("utf-8"), agents, results).encode())
