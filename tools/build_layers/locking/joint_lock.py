"""Resolves the requirements of all layers together, and splits the result between the layers."""

import contextlib
import itertools
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import canonicalize_name

import layers
from layers import Layer
from tools import cache, wheels
from tools.build_layers.checks import files, metadata
from tools.build_layers.checks.candidate import Candidate
from tools.build_layers.checks.layer_contents import read_wheels
from tools.build_layers.checks.result import Harmless
from tools.build_layers.locking import lock_split, requirements
from tools.build_layers.locking.pip_compile import Resolution, UnsolvedError, compile_lock
from tools.command import Failure


@dataclass(frozen=True)
class Locks:
    """The text of each layer's lock."""

    texts: list[str]
    newer: Mapping[str, tuple[int, int]]
    """The glibc that new pins need, by name, if it is newer than that of manylinux2014."""


def lock(stack: Sequence[Layer], *, upgrade: bool = False, upgrade_packages: Sequence[str] = ()) -> list[str]:
    """The text of each layer's lock: see `resolve`."""
    return resolve(stack, upgrade=upgrade, upgrade_packages=upgrade_packages).texts


def resolve(stack: Sequence[Layer], *, upgrade: bool = False, upgrade_packages: Sequence[str] = ()) -> Locks:
    """Resolve the layers' requirements jointly for the target, and return each layer's lock, as text.

    Pins of the present locks are kept while they satisfy the requirements, unless upgraded. Each layer but
    the last takes the closure of its own requirements within the joint result, without what the layers
    before it have; the last takes the rest.

    Raises:
        Failure: the requirements cannot be satisfied, or the index cannot be reached.
    """
    required = [requirements.read(layer) for layer in stack]
    present = "" if upgrade else "".join(_read(layer.lock) for layer in stack)
    _reject_unlocked(upgrade_packages, present)
    sources = [layer.requirements for layer in stack]
    if not present or upgrade_packages:
        present, upgrade_packages = _with_shipped(stack, present, upgrade_packages)
    joint = _compile(sources, present, upgrade_packages)
    texts, taken = [], set[str]()
    for count in range(1, len(stack)):
        names = lock_split.closure(joint.dependencies, itertools.chain(*required[:count]))
        named = [source.relative_to(source.parents[2]).as_posix() for source in sources[:count]]
        texts.append(_without(lock_split.lock_of(joint.text, names, named), taken))
        taken |= names
    return Locks([*texts, _without(joint.text, taken)], joint.newer)


def _compile(sources: Sequence[Path], present: str, upgrade_packages: Sequence[str] = ()) -> Resolution:
    """Resolve with the present pins only; if that has no solution, with every release of the index."""
    upgraded = {_name(package) for package in upgrade_packages}
    kept = {name: pin for name, pin in wheels.read_lock(present).items() if name not in upgraded}
    if kept:
        with contextlib.suppress(UnsolvedError):
            return compile_lock(sources, present, upgrade_packages, pinned=kept)
    return compile_lock(sources, present, upgrade_packages)


def _with_shipped(
    stack: Sequence[Layer], present: str, upgrade_packages: Sequence[str]
) -> tuple[str, Sequence[str]]:
    """The present pins with those of this repository's own requirements, which stay manylinux2014.

    They are resolved by themselves first: otherwise a release that needs a newer platform would be taken.
    """
    shipped = [
        str(entry)
        for layer in stack
        for entry in requirements.read(layer)
        if canonicalize_name(entry.name) in layers.SHIPPED
    ]
    if not shipped:
        return present, upgrade_packages
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch, "layers", "shipped", "requirements.in")
        source.parent.mkdir(parents=True)
        source.write_text("\n".join(shipped) + "\n", "utf-8")
        known = wheels.read_lock(compile_lock([source], present, upgrade_packages, newer=False).text)
    others = {name: pin for name, pin in wheels.read_lock(present).items() if name not in known}
    rest = [package for package in upgrade_packages if _name(package) not in known]
    return "".join(pin.text for pin in {**others, **known}.values()), rest


def _name(package: str) -> str:
    return canonicalize_name(re.split(r"[^\w.-]", package)[0])


def _reject_unlocked(packages: Sequence[str], present: str) -> None:
    """Without this, the upgrade of a package that is in no lock would silently do nothing."""
    for package in packages:
        name = _name(package)
        if name not in wheels.read_lock(present):
            raise Failure(f"--upgrade {package}: it is in no lock: add {name or 'it'} to a requirements.in")


def _without(text: str, names: set[str]) -> str:
    return "".join(pin.text for name, pin in wheels.read_lock(text).items() if name not in names)


def _read(path: Path) -> str:
    return path.read_text("utf-8") if path.exists() else ""


def changes(layer: Layer, text: str, newer: Mapping[str, tuple[int, int]] | None = None) -> list[str]:
    """What a new lock changes, in lines to print, with the packages that need a `newer` glibc."""
    before, after = wheels.read_lock(_read(layer.lock)), wheels.read_lock(text)
    versions = {
        name: tuple(pins[name].version if name in pins else "none" for pins in (before, after))
        for name in sorted(before.keys() | after.keys())
    }
    needs = {name: f" (needs glibc {major}.{minor})" for name, (major, minor) in (newer or {}).items()}
    lines = [
        f"{layer.name}: {name} {old} → {new}{needs.get(name, '')}"
        for name, (old, new) in versions.items()
        if old != new
    ]
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
        for violation in (found for found in check_locks(candidate) if not isinstance(found, Harmless)):
            raise Failure(f"the locks are out of date: {violation}: run `hatch run lock-layers`")
