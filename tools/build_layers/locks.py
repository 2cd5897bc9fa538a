"""Resolve every layer's requirements together, and split the answer between the layers."""

import re
from collections.abc import Sequence
from pathlib import Path

from packaging.utils import canonicalize_name

from layers import Layer
from tools import cache, wheels
from tools.build_layers import requirements
from tools.build_layers.gates import contents, metadata
from tools.build_layers.gates.candidate import Candidate
from tools.build_layers.gates.tree import of_wheels
from tools.build_layers.pip_compile import compile_lock
from tools.command import Failure


def lock(stack: Sequence[Layer], *, upgrade: bool = False, upgrade_packages: Sequence[str] = ()) -> list[str]:
    """Resolve the layers' requirements jointly for the target, and give each layer's lock, as text.

    Pins of the present locks are kept while they satisfy the requirements, unless upgraded. Each layer but
    the last takes the closure of its own requirements within the joint answer, less what the layers before
    it have; the last takes the rest.

    Raises:
        Failure: the requirements cannot be satisfied, or the index cannot be reached.
    """
    for layer in stack:
        requirements.read(layer)
    present = "" if upgrade else "".join(_read(layer.lock) for layer in stack)
    _refuse_unlocked(upgrade_packages, present)
    sources = [layer.requirements for layer in stack]
    joint = compile_lock(sources, present, upgrade_packages)
    texts, taken = [], set[str]()
    for count in range(1, len(stack)):
        texts.append(_without(compile_lock(sources[:count], joint), taken))
        taken |= wheels.pins(texts[-1]).keys()
    return [*texts, _without(joint, taken)]


def _refuse_unlocked(packages: Sequence[str], present: str) -> None:
    """An upgrade of what is in no lock would quietly do nothing."""
    for package in packages:
        name = re.split(r"[^\w.-]", package)[0]
        if canonicalize_name(name) not in wheels.pins(present):
            raise Failure(
                f"--upgrade {package}: no lock has {name or 'that'}; ask for it in a requirements.in"
            )


def _without(text: str, names: set[str]) -> str:
    return "".join(pin.text for name, pin in wheels.pins(text).items() if name not in names)


def _read(path: Path) -> str:
    return path.read_text("utf-8") if path.exists() else ""


def changes(layer: Layer, text: str) -> list[str]:
    """What a new lock changes, in lines for people."""
    before, after = wheels.pins(_read(layer.lock)), wheels.pins(text)
    versions = {
        name: tuple(pins[name].version if name in pins else "none" for pins in (before, after))
        for name in sorted(before.keys() | after.keys())
    }
    lines = [f"{layer.name}: {name} {old} → {new}" for name, (old, new) in versions.items() if old != new]
    return lines or [f"{layer.name}: nothing changed"]


def write(layer: Layer, text: str) -> None:
    """Put a lock in its place."""
    cache.write(layer.lock, text.encode())


def check(stack: Sequence[Layer]) -> None:
    """See that the locks satisfy the requirements and each other, by the locked wheels' own metadata.

    Newer releases do not matter, and with the wheels in the cache neither does the network.

    Raises:
        Failure: they do not, and in what.
    """
    for layer in stack:
        try:
            wheels.pins(_read(layer.lock))
        except ValueError as error:
            where = f"layers/{layer.name}/{layer.lock.name}"
            raise Failure(f"{where}: {error}: run `hatch run lock-layers`") from None
    candidate = Candidate([of_wheels(layer) for layer in stack], handler=None)
    for gate in (contents.versions, metadata.closure, contents.duplicates):
        for breach in gate(candidate):
            raise Failure(f"the locks do not hold: {breach}: run `hatch run lock-layers`")
