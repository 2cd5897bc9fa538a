"""Reads the recipe pages: their code blocks with a title."""

import re
from dataclasses import dataclass
from pathlib import Path

RECIPES = Path(__file__).parents[2] / "docs" / "recipes"

_BLOCK = re.compile(r'^```\w+ title="(?P<title>[^"]+)"\n(?P<content>.*?)^```$', re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class RecipePage:
    """A page, with the content of its titled code blocks by title."""

    blocks: dict[str, str]

    @classmethod
    def read(cls, name):
        text = (RECIPES / f"{name}.md").read_text("utf-8")
        return cls({found["title"]: found["content"] for found in _BLOCK.finditer(text)})

    def write(self, source, variant=""):
        """Write the blocks whose title is a file of the agent's folder; of its variants, the one named."""
        for title, content in self.blocks.items():
            name, _, of = title.partition(" ")
            if re.fullmatch(r"[\w.-]+\.(py|json)", name) and of.strip("()") in ("", variant):
                (source / name).write_text(content, "utf-8")
