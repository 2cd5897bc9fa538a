"""The catalogue: which layers there are, for which Python, for which machine.

`tools.build_layers` builds what is listed here, and the stack deploys it.
"""

import functools
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

PYTHON = "3.13"
"""The CPython minor version of the function and of the layers' bytecode."""

RUNTIME = f"python{PYTHON}"
"""The Lambda runtime's identifier."""

GLIBC = (2, 34)
"""The C library of that runtime's operating system, Amazon Linux 2023."""

MACHINES = {"x86_64": "x86_64", "arm64": "aarch64"}
"""Lambda's name of each architecture, and the name that wheels and Linux use."""

ARCHITECTURE = "x86_64"
"""The default architecture."""

SHIPPED_GLIBC = (2, 17)
"""The newest C library that the packages of this repository need: that of manylinux2014."""

PLATFORM = f"manylinux2014_{MACHINES[ARCHITECTURE]}"
"""The platform tag of these packages' wheels."""

SHIPPED = ("strands-agents", "langfuse", "opentelemetry-exporter-otlp")
"""The requirements of this repository; owners add their own."""

BUILD_FORMAT = 4
"""Increased when the builder or its checks change, so that layers built before are stale."""

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Layer:
    """One Lambda layer: the folder of its requirements and of its build."""

    name: str
    directory: Path
    architecture: str = ARCHITECTURE

    @property
    def requirements(self) -> Path:
        """The requirements, written by hand."""
        return self.directory / "requirements.in"

    @property
    def lock(self) -> Path:
        """The resolved requirements, with hashes."""
        return self.directory / "requirements.txt"

    @property
    def build(self) -> Path:
        """The folder of the build: `build`, or a folder in it for another architecture than the default."""
        folder = self.directory / "build"
        return folder if self.architecture == ARCHITECTURE else folder / self.architecture

    @property
    def platform(self) -> str:
        """The platform tag of wheels for manylinux2014."""
        return f"manylinux2014_{MACHINES[self.architecture]}"

    @property
    def zip(self) -> Path:
        """The built layer, ready for Lambda."""
        return self.build / "layer.zip"

    @property
    def manifest(self) -> Path:
        """The contents of the built layer, and the result of its checks."""
        return self.build / "manifest.json"

    @property
    def services(self) -> tuple[str, ...]:
        """The botocore services to keep; empty to keep all."""
        return self._listed("botocore-services.txt")

    @property
    def excluded(self) -> tuple[str, ...]:
        """Patterns of paths below `python/` to leave out, as `fnmatch` reads them."""
        return self._listed("exclude.txt")

    def _listed(self, name: str) -> tuple[str, ...]:
        listed = self.directory / name
        lines = listed.read_text("utf-8").splitlines() if listed.exists() else []
        return tuple(sorted({line.partition("#")[0].strip() for line in lines} - {""}))

    def digest(self) -> str:
        """The digest of everything that a build depends on."""
        settings = [self.services, self.excluded, self.lock.read_text("utf-8")]
        given = [BUILD_FORMAT, PYTHON, self.platform, self.name, *settings]
        return hashlib.sha256(json.dumps(given).encode()).hexdigest()

    def read_manifest(self) -> dict[str, Any]:
        """The manifest of the build; empty if there is none."""
        try:
            return dict(json.loads(self.manifest.read_bytes()))
        except (OSError, ValueError):
            return {}


STRANDS = Layer("strands", HERE / "strands")
LANGFUSE = Layer("langfuse", HERE / "langfuse")
LAYERS = (STRANDS, LANGFUSE)
"""In order: each layer needs those before it."""


def for_architecture(architecture: str = ARCHITECTURE) -> tuple[Layer, ...]:
    """The layers for an architecture, built from the same locks."""
    return tuple(replace(layer, architecture=architecture) for layer in LAYERS)


def stale_reason(layer: Layer) -> str | None:
    """Why the layer has to be built, in one line with the command to run; None if it is up to date."""
    manifest, command = layer.read_manifest(), _command("build", layer)
    if not manifest or not layer.zip.exists():
        return f"layers/{layer.name} is not built: run `{command}`"
    if manifest.get("inputs") != layer.digest():
        return f"layers/{layer.name} is stale, its lock has changed since: run `{command}`"
    if manifest.get("digest") != sha256(layer.zip):
        return f"layers/{layer.name} is not what was built, its zip has changed: run `{command}`"
    return None


def _command(name: str, layer: Layer) -> str:
    chosen = [] if layer.architecture == ARCHITECTURE else ["--architecture", layer.architecture]
    return " ".join(["hatch", "run", f"{name}-layers", *chosen])


def undeployable_reason(layer: Layer, stack: Sequence[Layer] = LAYERS) -> str | None:
    """Why the layer must not be deployed, in one line with the command to run; None if it may.

    A layer may be deployed if it was built from the present lock, and passed the checks together with the
    present builds of the other layers of the stack.
    """
    if reason := stale_reason(layer):
        return reason
    if layer.read_manifest().get("checked") != digests(stack):
        command = _command("check", layer)
        return f"layers/{layer.name} has not passed its checks: run `{command}`"
    return None


def digests(stack: Iterable[Layer]) -> dict[str, str]:
    """Each layer's digest, by name: a manifest records it once the layers have passed together."""
    return {layer.name: layer.read_manifest().get("digest", "") for layer in stack}


def sha256(path: Path) -> str:
    """A file's digest, in hex."""
    stat = path.stat()
    return _hashed(path, (stat.st_ino, stat.st_mtime_ns, stat.st_size))


@functools.cache
def _hashed(path: Path, _state: tuple[int, ...]) -> str:
    """Computed once for each state of the file: every step of a build needs it."""
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
