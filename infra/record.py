"""What a stack records about its deployment: in the template's metadata, and next to the template."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.options import Options

KEY = "TracedAgent"

SOURCES = "agent-sources.json"
"""The file of an assembly with the source folder of each agent. A template must not depend on a folder."""


@dataclass(frozen=True, kw_only=True)
class StackRecord:
    """A stack's name, its agent, and the options and the commit that it is deployed with."""

    name: str
    agent: str
    source: str
    """The agent's source folder, relative to the checkout."""
    options: Options
    commit: str

    def metadata(self) -> dict[str, Any]:
        """The template's metadata."""
        return {
            KEY: {
                "agent": self.agent,
                "commit": self.commit,
                "default_secret": self.options.default_secret_name,
                "options": self.options.as_dict(),
            }
        }


def write_sources(folder: Path, records: Sequence[StackRecord]) -> None:
    """Write the source folders of the agents into an assembly, for the local cloud."""
    (folder / SOURCES).write_text(json.dumps({record.agent: record.source for record in records}))
