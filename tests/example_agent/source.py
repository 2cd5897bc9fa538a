"""Where the example agent is: the agent's source folder that tests deploy."""

from pathlib import Path

EXAMPLE_AGENT = Path(__file__).parent / "src"
