"""Resolves the requirements of all layers together, and splits the result between the layers."""

import re
from collections.abc import Sequence
from pathlib import Path

from packaging.utils import canonicalize_name

from layers import Layer
from tools import cache, wheels
from tools.build_layers.checks import files, metadata
from tools.build_layers.checks.candidate import Candidate
from tools.build_layers.checks.layer_contents import read_wheels
from tools.build_layers.locking import requirements
from tools.build_layers.locking.pip_compile import compile_lock
from tools.command import Failure


def lock(stack: Sequence[Layer], *, upgrade: bool = False, upgrade_packages: Sequence[str] = ()) -> list[str]:
    """Resolve the layers' requirements jointly for the target, and return each layer's lock, as text.

    Pins of the present locks are kept while they satisfy the requirements, unless upgraded. Each layer but
    the last takes the closure of its own requirements within the joint result, without what the layers
    before it have; the last takes the rest.

    Raises:
        Failure: the requirements cannot be satisfied, or the index cannot be reached.
    """
    for layer in stack:
        requirements.read(layer)
    present = "" if upgrade else "".join(_read(layer.lock) for layer in stack)
    _reject_unlocked(upgrade_packages, present)
    sources = [layer.requirements for layer in stack]
    joint = compile_lock(sources, present, upgrade_packages)
    texts, taken = [], set[str]()
    for count in range(1, len(stack)):
        texts.append(_without(compile_lock(sources[:count], joint), taken))
        taken |= wheels.read_lock(texts[-1]).keys()
    return [*texts, _without(joint, taken)]


def _reject_unlocked(packages: Sequence[str], present: str) -> None:
    """Without this, the upgrade of a package that is in no lock would silently do nothing."""
    for package in packages:
        name = re.split(r"[^\w.-]", package)[0]
        if canonicalize_name(name) not in wheels.read_lock(present):
            raise Failure(f"--upgrade {package}: it is in no lock: add {name or 'it'} to a requirements.in")


def _without(text: str, names: set[str]) -> str:
    return "".join(pin.text for name, pin in wheels.read_lock(text).items() if name not in names)


def _read(path: Path) -> str:
    return path.read_text("utf-8") if path.exists() else ""


def changes(layer: Layer, text: str) -> list[str]:
    """What a new lock changes, in lines to print."""
    before, after = wheels.read_lock(_read(layer.lock)), wheels.read_lock(text)
    versions = {
        name: tuple(pins[name].version if name in pins else "none" for pins in (before, after))
        for name in sorted(before.keys() | after.keys())
    }
    lines = [f"{layer.name}: {name} {old} → {new}" for name, (old, new) in versions.items() if old != new]
    return lines or [f"{layer.name}: nothing changed"]


def write(layer: Layer, text: str) -> None:
    """Write a layer's lock."""
    cache.write(layer.lock, text.encode())


def check(stack: Sequence[Layer]) -> None:
    """Check that the locks satisfy the requirements and each other, by the locked wheels' own metadata.

    New releases on the index make no difference. With the wheels in the cache no network is needed.

    Raises:
        Failure: they do not, and why.
    """
    for layer in stack:
        try:
            wheels.read_lock(_read(layer.lock))
        except ValueError as error:
            where = f"layers/{layer.name}/{layer.lock.name}"
            raise Failure(f"{where}: {error}: run `hatch run lock-layers`") from None
    candidate = Candidate([read_wheels(layer) for layer in stack], handler=None)
    for check_locks in (files.versions, metadata.closure, files.duplicates):
        for violation in check_locks(candidate):
            raise Failure(f"the locks are out of date: {violation}: run `hatch run lock-layers`")
