"""Reads the recipe pages: their code blocks with a title, and their shell commands."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Self

RECIPES = Path(__file__).parents[2] / "docs" / "recipes"

_BLOCK = re.compile(r'^ *```\w+ title="(?P<title>[^"]+)"\n(?P<content>.*?)^ *```$', re.MULTILINE | re.DOTALL)
_SHELL = re.compile(r"^ *```sh\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class RecipePage:
    """A page's code blocks by title, and its shell commands in their order."""

    blocks: dict[str, str]
    commands: list[str]

    @classmethod
    def read(cls, name: str) -> Self:
        """Read `docs/recipes/NAME.md`."""
        text = (RECIPES / f"{name}.md").read_text("utf-8")
        blocks = {found["title"]: _dedented(found["content"]) for found in _BLOCK.finditer(text)}
        shell = "".join(map(_dedented, _SHELL.findall(text)))
        return cls(blocks, shell.splitlines())

    def write(self, source: Path, variant: str = "") -> None:
        """Write the blocks whose title is a file of the agent's folder; of its variants, the named one."""
        for title, content in self.blocks.items():
            name, _, of = title.partition(" ")
            if re.fullmatch(r"[\w.-]+\.(py|json)", name) and of.strip("()") in ("", variant):
                (source / name).write_text(content, "utf-8")


def _dedented(content: str) -> str:
    """A block inside a list item without the item's indentation."""
    indent = len(content) - len(content.lstrip(" "))
    return re.sub(rf"^ {{0,{indent}}}", "", content, flags=re.MULTILINE)
