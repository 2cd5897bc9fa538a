"""What a stack records about its deployment, in the template's metadata."""

from dataclasses import dataclass
from typing import Any

from infra.options import Options

KEY = "TracedAgent"


@dataclass(frozen=True, kw_only=True)
class StackRecord:
    """A stack's name, its agent, and the options and the commit that it is deployed with."""

    name: str
    agent: str
    source: str
    """The agent's source folder, relative to the checkout, so that every host writes the same template."""
    options: Options
    commit: str

    def metadata(self) -> dict[str, Any]:
        """The template's metadata."""
        return {
            KEY: {
                "agent": self.agent,
                "source": self.source,
                "commit": self.commit,
                "default_secret": self.options.default_secret_name,
                "options": self.options.as_dict(),
            }
        }
