"""The catalogue: which layers there are, for which Python, for which machine.

Every other part asks here; `tools.build_layers` writes what this page names, and the stack deploys it.
"""

from dataclasses import dataclass
from pathlib import Path

PYTHON = "3.13"
"""The CPython minor version of the function and of the layers' bytecode."""

RUNTIME = f"python{PYTHON}"
"""The Lambda runtime's identifier."""

ARCHITECTURE = "x86_64"
"""Lambda's name for the machine."""

PLATFORM = f"manylinux2014_{ARCHITECTURE}"
"""The wheels' platform tag."""

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Layer:
    """One Lambda layer: where its requirements stand and where its build goes."""

    name: str
    directory: Path

    @property
    def requirements(self) -> Path:
        """What was asked for, by people."""
        return self.directory / "requirements.in"

    @property
    def lock(self) -> Path:
        """What that resolved to, with hashes."""
        return self.directory / "requirements.txt"

    @property
    def zip(self) -> Path:
        """The built layer, ready for Lambda."""
        return self.directory / "build" / "layer.zip"

    @property
    def manifest(self) -> Path:
        """What is in the built layer, and what was checked of it."""
        return self.directory / "build" / "manifest.json"


STRANDS = Layer("strands", HERE / "strands")
LANGFUSE = Layer("langfuse", HERE / "langfuse")
LAYERS = (STRANDS, LANGFUSE)
"""In the order of their closures: each needs those before it."""
