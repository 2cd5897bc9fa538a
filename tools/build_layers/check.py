"""Every gate, and what comes of passing them."""

import json
import os
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import layers
from layers import Layer
from tools import cache
from tools.build_layers.gates import clients, contents, in_target, metadata, native
from tools.build_layers.gates.candidate import HANDLER, Candidate
from tools.build_layers.gates.tree import of_layer, of_path
from tools.build_layers.progress import Progress, Silent
from tools.build_layers.verdict import Breach, Verdict
from tools.command import Failure

Gate = Callable[[Candidate], Iterator[str]]

ALONE: dict[str, Gate] = {
    "layout": contents.layout,
    "versions": contents.versions,
    "record": metadata.record,
    "licences": metadata.licences,
    "machine": native.machine,
    "glibc": native.glibc,
    "bytecode": in_target.bytecode,
}
"""Gates that a layer passes by itself: once passed, its bytes need not pass again."""

TOGETHER: dict[str, Gate] = {
    "duplicates": contents.duplicates,
    "closure": metadata.closure,
    "clients": clients.clients,
    "size": contents.size,
    "imports": in_target.imports,
}
"""Gates that all layers pass together, with the function."""

GATES = ALONE | TOGETHER
"""By name, in the order in which they tell."""


def check(candidate: Candidate, *, passed: Collection[str] = (), progress: Progress | None = None) -> Verdict:
    """Put a candidate through every gate that can judge here; some trees may have passed alone before."""
    skipped = _skipped(candidate)
    gates = [name for name in GATES if name not in skipped]
    rest = replace(candidate, trees=[tree for tree in candidate.trees if tree.name not in passed])
    shown = progress or Silent()
    shown.begin("Checking", len(gates))

    def judge(name: str) -> list[Breach]:
        found = GATES[name](rest if name in ALONE else candidate)
        breaches = [Breach(name, message) for message in found]
        shown.advance()
        return breaches

    with ThreadPoolExecutor(os.cpu_count()) as pool:  # the last takes longest, so it begins first
        judged = list(pool.map(judge, reversed(gates)))
    return Verdict(gates, skipped, [breach for found in reversed(judged) for breach in found])


def _skipped(candidate: Candidate) -> dict[str, str]:
    """The gates that cannot judge this candidate on this machine, and why."""
    reasons = {}
    if all(tree.pins is None for tree in candidate.trees):
        reasons["versions"] = "there is no lock to compare with"
    if not in_target.imports_run_here():
        reasons["imports"] = "it runs the layers' machine code, which takes Linux on x86-64"
    return reasons


def check_layers(
    stack: Sequence[Layer] = layers.LAYERS,
    *,
    handler: Path = HANDLER,
    again: bool = True,
    progress: Progress | None = None,
) -> Verdict:
    """Check the built layers, and record in their manifests whether they pass.

    Unless it is to be done again, a layer that passed alone is only checked together with the others.

    Raises:
        Failure: one of them is not built, or not from the present lock.
    """
    if reason := next(filter(None, map(layers.unbuilt, stack)), None):
        raise Failure(reason)
    manifests = {layer.name: layer.read_manifest() for layer in stack}
    passed = (
        [] if again else [name for name, built in manifests.items() if built.get("alone") == built["digest"]]
    )
    candidate = Candidate([of_layer(layer) for layer in stack], handler)
    verdict = check(candidate, passed=passed, progress=progress)
    for layer in stack:
        _record(layer, verdict, stack)
    return verdict


def _record(layer: Layer, verdict: Verdict, stack: Sequence[Layer]) -> None:
    manifest = layer.read_manifest()
    sound = not any(breach.gate in ALONE for breach in verdict.breaches)
    manifest["alone"] = manifest["digest"] if sound else None
    manifest["checked"] = layers.checked(stack) if verdict.passed else None
    manifest["gates"] = verdict.gates
    cache.write(layer.manifest, json.dumps(manifest, indent=1).encode())


def check_paths(paths: Sequence[Path], progress: Progress | None = None) -> Verdict:
    """Check what something else built, as one function's layers, without a handler; keeps nothing of it."""
    with tempfile.TemporaryDirectory() as scratch:
        candidate = Candidate([of_path(path) for path in paths], handler=None, store=Path(scratch))
        return check(candidate, progress=progress)
