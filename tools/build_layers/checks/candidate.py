"""A function as it would be deployed: its layers in order, and its own code."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from layers import ARCHITECTURE
from tools.build_layers.checks.layer_contents import LayerContents
from tools.cache import CACHE


@dataclass(frozen=True)
class Candidate:
    """What is checked together."""

    layers: Sequence[LayerContents]
    handler: Path | None = None
    """The function's asset, in a folder; None if layers are checked without one."""
    store: Path = CACHE
    """The cache in which the layers are unpacked."""
    opt: Path | None = None
    """The folder with the union of the layers, if it was made already."""

    @property
    def architecture(self) -> str:
        """Lambda's name of the layers' architecture."""
        sources = (layer.source for layer in self.layers)
        return next((source.architecture for source in sources if source), ARCHITECTURE)

    def handler_files(self) -> Mapping[str, bytes]:
        """The function's files by path, as they are deployed."""
        if not self.handler:
            return {}
        return {
            path.relative_to(self.handler).as_posix(): path.read_bytes()
            for path in sorted(self.handler.rglob("*"))
            if path.is_file()
        }
