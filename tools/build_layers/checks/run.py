"""The list of checks, and running them on layers."""

import json
import os
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import layers
from layers import Layer, function_asset
from tools import cache
from tools.build_layers.checks import binaries, boto_clients, files, metadata, on_target, source_wheels
from tools.build_layers.checks.candidate import Candidate
from tools.build_layers.checks.layer_contents import read_layer, read_path
from tools.build_layers.checks.passed_parts import PassedParts
from tools.build_layers.checks.result import Harmless, Report, Violation
from tools.build_layers.progress import Progress, Silent
from tools.command import Failure

Check = Callable[[Candidate], Iterator[str]]

PER_LAYER: dict[str, Check] = {
    "layout": files.layout,
    "wheels": source_wheels.source_wheels,
    "versions": files.versions,
    "record": metadata.record,
    "licences": metadata.licences,
    "machine": binaries.machine,
    "bytecode": on_target.bytecode,
}
"""Checks of one layer by itself: a layer that has passed them is not checked again."""

TOGETHER: dict[str, Check] = {
    "duplicates": files.duplicates,
    "closure": metadata.closure,
    "glibc": binaries.glibc,
    "clients": boto_clients.clients,
    "size": files.size,
    "imports": on_target.imports,
}
"""Checks of all layers together with the function."""

CHECKS = PER_LAYER | TOGETHER
"""By name, in the order in which they are reported."""


def check(
    candidate: Candidate,
    *,
    passed: Collection[str] = (),
    compiled: Collection[str] = (),
    progress: Progress | None = None,
) -> Report:
    """Run every check that can run here.

    Layers named in `passed` have passed their own checks before. Those named in `compiled` were compiled from
    their wheels by this process, so they need not be compiled again to be compared with them.
    """
    skipped = _skipped(candidate)
    names = [name for name in CHECKS if name not in skipped]
    shown = progress or Silent()
    shown.begin("Checking", len(names))
    # Before the checks compete: in a thread beside others, making the links takes ten times as long.
    with on_target.mounted_opt(candidate) if "imports" in names else nullcontext() as opt:
        findings = _findings(replace(candidate, opt=opt), names, passed, compiled, shown)
    violations = [violation for violation, harmless in findings if not harmless]
    warnings = [violation for violation, harmless in findings if harmless]
    return Report(names, skipped, violations, warnings)


def _findings(
    candidate: Candidate,
    names: Sequence[str],
    passed: Collection[str],
    compiled: Collection[str],
    progress: Progress,
) -> list[tuple[Violation, bool]]:
    """What the named checks find, and whether it is harmless."""

    def one(name: str) -> list[tuple[Violation, bool]]:
        known = {*passed, *(compiled if name == "wheels" else ())} if name in PER_LAYER else set()
        rest = [layer for layer in candidate.layers if layer.name not in known]
        messages = CHECKS[name](replace(candidate, layers=rest))
        findings = [(Violation(name, str(message)), isinstance(message, Harmless)) for message in messages]
        progress.advance()
        return findings

    with ThreadPoolExecutor(os.cpu_count()) as pool:  # the last takes longest, so it starts first
        found = list(pool.map(one, reversed(names)))
    return [finding for part in reversed(found) for finding in part]


def _skipped(candidate: Candidate) -> dict[str, str]:
    """The checks that cannot run for this candidate on this machine, and why."""
    reasons: dict[str, str] = {}
    if all(layer.pins is None for layer in candidate.layers):
        reasons |= dict.fromkeys(("wheels", "versions"), "there is no lock to compare with")
    if not on_target.runs_here(candidate.architecture):
        machine = layers.MACHINES[candidate.architecture]
        reasons["imports"] = f"it runs the layers' machine code, which needs Linux on {machine}"
    return reasons


def check_layers(
    stack: Sequence[Layer] = layers.LAYERS,
    *,
    handler: Path | None = None,
    again: bool = True,
    compiled: Collection[str] = (),
    progress: Progress | None = None,
) -> Report:
    """Check the built layers, and record in their manifests whether they pass.

    With `again=False`, a layer that passed its own checks before is only checked together with the others,
    and the files of a distribution that passed before are not read again. The layers named in `compiled` were
    compiled from their wheels by this process.

    Raises:
        Failure: one of them is not built, or not from the present lock.
    """
    if reason := next(filter(None, map(layers.stale_reason, stack)), None):
        raise Failure(reason)
    manifests = {layer.name: layer.read_manifest() for layer in stack}
    passed = (
        []
        if again
        else [name for name, built in manifests.items() if built.get("passed_alone") == built["digest"]]
    )
    parts = PassedParts(cache.CACHE, stack[0].architecture)
    with ThreadPoolExecutor(1) as pool:
        # Another process compiles the function's code while this one reads the layers.
        code = pool.submit(lambda: handler or function_asset.assembled())
        contents = [read_layer(layer) if again else parts.recall(read_layer(layer)) for layer in stack]
    candidate = Candidate(contents, code.result())
    report = check(candidate, passed=passed, compiled=compiled, progress=progress)
    for checked in (layer for layer in contents if layer.name not in passed):
        parts.remember(checked, [*report.violations, *report.warnings])
    for layer in stack:
        _record(layer, report, stack)
    return report


def _record(layer: Layer, report: Report, stack: Sequence[Layer]) -> None:
    manifest = layer.read_manifest()
    alone = not any(violation.check in PER_LAYER for violation in report.violations)
    manifest["passed_alone"] = manifest["digest"] if alone else None
    manifest["checked"] = layers.digests(stack) if report.passed else None
    manifest["checks"] = report.checks
    cache.write(layer.manifest, json.dumps(manifest, indent=1).encode())


def check_paths(paths: Sequence[Path], progress: Progress | None = None) -> Report:
    """Check what another tool built, as the layers of one function without a handler; keeps nothing of it."""
    with tempfile.TemporaryDirectory() as scratch:
        candidate = Candidate([read_path(path) for path in paths], handler=None, store=Path(scratch))
        return check(candidate, progress=progress)
