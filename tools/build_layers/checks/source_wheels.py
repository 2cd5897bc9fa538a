"""The check of a layer's bytes against its wheels: it compiles them again and compares."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from layers import Layer
from tools import wheels
from tools.build_layers.building import selection
from tools.build_layers.building.compiled_wheels import read_compiled
from tools.build_layers.building.compiler_pool import compiler_pool
from tools.build_layers.checks.candidate import Candidate
from tools.build_layers.checks.layer_contents import LayerContents
from tools.zip_entries import ROOT, Entry


def source_wheels(candidate: Candidate) -> Iterator[str]:
    """Every file is that of its hash-checked wheel, and all bytecode is what compiling the wheel gives."""
    for layer in candidate.layers:
        if layer.source:
            yield from _differences(layer, layer.source)


def _differences(layer: LayerContents, source: Layer) -> Iterator[str]:
    count = os.cpu_count() or 1
    with compiler_pool(count) as compiled, ThreadPoolExecutor(count) as pool:

        def entries(wheel: Path) -> tuple[Path, dict[str, Entry]]:
            made = read_compiled(wheel, compiled(wheel)).entries
            return wheel, {entry.path.removeprefix(ROOT): entry for entry in selection.select(made, source)}

        expected = dict(pool.map(entries, wheels.fetch(source.lock, architecture=source.architecture)))
    unknown = set(layer.files)
    for wheel, files in expected.items():
        for path, entry in files.items():
            unknown.discard(path)
            if path not in layer.files:
                yield f"{layer.name}: {path} of {wheel.name} is missing"
            elif layer.files[path] != entry.read():
                yield f"{layer.name}: {path} is not what {wheel.name} gives"
    yield from (f"{layer.name}: {path} is in no wheel of the lock" for path in sorted(unknown))
