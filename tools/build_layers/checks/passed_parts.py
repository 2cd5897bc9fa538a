"""Remembers the parts of layers whose files passed, so that a build checks only the files of new parts.

Kept are results that depend on the contents of a part only: those of `machine` and `bytecode`, the hashes
that `record` compares, and the glibc that each binary needs, which every build compares with the limit. What
is kept is signed, as compiled wheels are.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from layers import interpreter
from tools import cache, cache_limit
from tools.build_layers import signatures
from tools.build_layers.checks.layer_contents import LayerContents
from tools.build_layers.checks.result import Violation
from tools.build_layers.parts import Part
from tools.zip_entries import ROOT

_CHECKS = frozenset({"machine", "bytecode", "record", "glibc"})
_CODE = Path(__file__).parents[1]


class PassedParts:
    """The parts that passed on one architecture, kept in the cache."""

    def __init__(self, store: Path, architecture: str) -> None:
        code = b"".join(path.read_bytes() for path in sorted(_CODE.rglob("*.py")))
        key = code + f"{interpreter.build(interpreter.target())} {architecture}".encode()
        self._folder = store / "checked" / hashlib.sha256(key).hexdigest()[:16]

    def recall(self, layer: LayerContents) -> LayerContents:
        """The layer, with the files named that need not be checked again."""
        hashes: dict[str, str] = {}
        needed_glibc: dict[str, tuple[int, ...]] = {}
        for part in layer.parts:
            if (kept := self._read(part)) is not None:
                hashes |= kept["hashes"]
                needed_glibc |= {path: tuple(found) for path, found in kept["glibc"].items()}
        return replace(layer, passed=frozenset(hashes), hashes=hashes, needed_glibc=needed_glibc)

    def remember(self, layer: LayerContents, found: Iterable[Violation]) -> None:
        """Keep the layer's new parts, unless a check has found something in the layer."""
        if any(
            finding.check in _CHECKS and finding.message.startswith(f"{layer.name}:") for finding in found
        ):
            return
        for part in layer.parts:
            paths = [entry.path.removeprefix(ROOT) for entry in part.entries]
            if any(path not in layer.passed for path in paths):
                glibc = {path: layer.needed_glibc[path] for path in paths if path in layer.needed_glibc}
                hashes = {path: layer.sha256(path) for path in paths}
                data = json.dumps({"hashes": hashes, "glibc": glibc}).encode()
                cache.write(self._folder / part.digest, signatures.sign(part.digest, data))

    def _read(self, part: Part) -> dict[str, Any] | None:
        path = self._folder / part.digest
        data = signatures.verified(part.digest, cache.read(path))
        if data is None:
            return None
        cache_limit.mark_used(path)
        return dict(json.loads(data))
