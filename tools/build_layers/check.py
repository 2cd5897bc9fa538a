"""Every gate, and what comes of passing them."""

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
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

GATES: dict[str, Callable[[Candidate], Iterator[str]]] = {
    "layout": contents.layout,
    "versions": contents.versions,
    "duplicates": contents.duplicates,
    "closure": metadata.closure,
    "record": metadata.record,
    "licences": metadata.licences,
    "machine": native.machine,
    "glibc": native.glibc,
    "bytecode": in_target.bytecode,
    "clients": clients.clients,
    "size": contents.size,
    "imports": in_target.imports,
}
"""By name, in the order in which they tell."""


def check(candidate: Candidate, progress: Progress | None = None) -> Verdict:
    """Put a candidate through every gate that can judge on this machine."""
    gates = [name for name in GATES if name not in _skipped()]
    shown = progress or Silent()
    shown.begin("Checking", len(gates))

    def judge(name: str) -> list[Breach]:
        breaches = [Breach(name, message) for message in GATES[name](candidate)]
        shown.advance()
        return breaches

    with ThreadPoolExecutor(len(gates)) as pool:  # those that run the target wait for it side by side
        breaches = [breach for found in pool.map(judge, gates) for breach in found]
    return Verdict(gates, _skipped(), breaches)


def _skipped() -> dict[str, str]:
    if in_target.imports_run_here():
        return {}
    return {"imports": "it runs the layers' machine code, which takes Linux on x86-64"}


def check_layers(
    stack: Sequence[Layer] = layers.LAYERS, *, handler: Path = HANDLER, progress: Progress | None = None
) -> Verdict:
    """Check the built layers, and record in their manifests whether they pass.

    Raises:
        Failure: one of them is not built, or not from the present lock.
    """
    if reason := next(filter(None, map(layers.unbuilt, stack)), None):
        raise Failure(reason)
    verdict = check(Candidate([of_layer(layer) for layer in stack], handler), progress)
    for layer in stack:
        record = {"checked": layers.checked(stack) if verdict.passed else None, "gates": verdict.gates}
        cache.write(layer.manifest, json.dumps({**layer.read_manifest(), **record}, indent=1).encode())
    return verdict


def check_paths(paths: Sequence[Path], progress: Progress | None = None) -> Verdict:
    """Check what something else built, as one function's layers, without a handler; records nothing."""
    return check(Candidate([of_path(path) for path in paths], handler=None), progress)
