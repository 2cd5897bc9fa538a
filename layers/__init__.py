"""The catalogue: which layers there are, for which Python, for which machine.

Every other part asks here; `tools.build_layers` writes what this page names, and the stack deploys it.
"""

import functools
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PYTHON = "3.13"
"""The CPython minor version of the function and of the layers' bytecode."""

RUNTIME = f"python{PYTHON}"
"""The Lambda runtime's identifier."""

ARCHITECTURE = "x86_64"
"""Lambda's name for the machine."""

PLATFORM = f"manylinux2014_{ARCHITECTURE}"
"""The wheels' platform tag."""

BUILD_FORMAT = 2
"""Raised when the builder or its gates change, so that layers built before count as stale."""

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

    @property
    def services(self) -> tuple[str, ...]:
        """The botocore services to keep; none are named where all are kept."""
        listed = self.directory / "botocore-services.txt"
        lines = listed.read_text("utf-8").splitlines() if listed.exists() else []
        return tuple(sorted({line.partition("#")[0].strip() for line in lines} - {""}))

    def digest(self) -> str:
        """Of everything that a build depends on: builds with the same digest hold the same things."""
        given = [BUILD_FORMAT, PYTHON, PLATFORM, self.name, self.services, self.lock.read_text("utf-8")]
        return hashlib.sha256(json.dumps(given).encode()).hexdigest()

    def read_manifest(self) -> dict[str, Any]:
        """The manifest of the build, or nothing where there is none to be read."""
        try:
            return dict(json.loads(self.manifest.read_bytes()))
        except (OSError, ValueError):
            return {}


STRANDS = Layer("strands", HERE / "strands")
LANGFUSE = Layer("langfuse", HERE / "langfuse")
LAYERS = (STRANDS, LANGFUSE)
"""In the order of their closures: each needs those before it."""


def unbuilt(layer: Layer) -> str | None:
    """Why the layer's zip is not what a build from the present lock would give; None if it is."""
    manifest = layer.read_manifest()
    if not manifest or not layer.zip.exists():
        return f"layers/{layer.name} is not built: run `hatch run build-layers`"
    if manifest.get("inputs") != layer.digest():
        return f"layers/{layer.name} is stale, its lock has changed since: run `hatch run build-layers`"
    if manifest.get("digest") != sha256(layer.zip):
        return f"layers/{layer.name} is not what was built, its zip has changed: run `hatch run build-layers`"
    return None


def problem(layer: Layer, beside: Sequence[Layer] = LAYERS) -> str | None:
    """Why the layer must not be deployed, in one line with the command to run; None if it may.

    It may when it was built from the present lock, and was checked together with the layers beside it as they
    are now.
    """
    if reason := unbuilt(layer):
        return reason
    if layer.read_manifest().get("checked") != checked(beside):
        return f"layers/{layer.name} has not passed its checks: run `hatch run check-layers`"
    return None


def checked(together: Iterable[Layer]) -> dict[str, str]:
    """What a manifest records once the gates have passed: each layer's digest, for they pass together."""
    return {layer.name: layer.read_manifest().get("digest", "") for layer in together}


def sha256(path: Path) -> str:
    """A file's digest, in hex."""
    stat = path.stat()
    return _hashed(path, (stat.st_ino, stat.st_mtime_ns, stat.st_size))


@functools.cache
def _hashed(path: Path, _state: tuple[int, ...]) -> str:
    """Once for each state of the file: every step of a build asks for it."""
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
