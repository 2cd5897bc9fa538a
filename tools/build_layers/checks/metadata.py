"""Checks of the distributions' metadata."""

import base64
import csv
import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from tools.build_layers.checks.candidate import Candidate
from tools.build_layers.checks.layer_contents import Distribution, LayerContents
from tools.build_layers.target import FULL_VERSION, MARKERS

_LICENCE_FILES = ("licen", "copying", "notice")


def closure(candidate: Candidate) -> Iterator[str]:
    """Every requirement is met for the target, in the layer or in one before it; nothing else is there."""
    present: dict[str, Distribution] = {}
    reached: set[str] = set()
    for layer in candidate.layers:
        present |= {found.name: found for found in layer.distributions}
        asked = [("the requirements", root) for root in layer.requirements]
        whole = asked or [(found.name, Requirement(found.name)) for found in layer.distributions]
        violations, met = walk(present, whole)
        reached |= met
        yield from (f"{layer.name}: {violation}" for violation in violations)
        if asked:
            yield from (
                f"{layer.name}: nothing needs {found.name}"
                for found in layer.distributions
                if found.name not in reached
            )


def walk(
    present: Mapping[str, Distribution], roots: Iterable[tuple[str, Requirement]]
) -> tuple[list[str], set[str]]:
    """Follow the requirements, extras and markers: the violations, and the names that were reached."""
    violations: dict[str, None] = {}
    reached: set[tuple[str, str]] = set()
    waiting = list(roots)
    while waiting:
        source, wanted = waiting.pop()
        name = canonicalize_name(wanted.name)
        if (found := present.get(name)) is None:
            violations[f"{source} needs {wanted}, which is missing"] = None
            continue
        if not wanted.specifier.contains(found.version, prereleases=True):
            violations[f"{source} needs {wanted}, and {found.version} is there"] = None
        for extra in {"", *wanted.extras}:
            if (name, extra) not in reached:
                reached.add((name, extra))
                waiting += [(name, needed) for needed in _requires(found, extra)]
                violations |= dict.fromkeys(_wrong_python(found))
    return list(violations), {name for name, _ in reached}


def _requires(found: Distribution, extra: str) -> Iterator[Requirement]:
    for line in found.metadata.get_all("Requires-Dist", []):
        needed = Requirement(str(line))
        if needed.marker is None or needed.marker.evaluate({**MARKERS, "extra": extra}):
            yield needed


def _wrong_python(found: Distribution) -> Iterator[str]:
    asked = str(found.metadata["Requires-Python"] or "")
    if not SpecifierSet(asked).contains(FULL_VERSION):
        yield f"{found.name} needs Python {asked}, and the function has {FULL_VERSION}"


def record(candidate: Candidate) -> Iterator[str]:
    """Every file is in a RECORD with its hash, and every file of a RECORD is there."""
    for layer in candidate.layers:
        rows = dict(_recorded(layer))
        with ThreadPoolExecutor(os.cpu_count()) as pool:  # hashing lets other threads run
            hashed = dict(pool.map(lambda path, layer=layer: (path, _hash(layer.files[path])), layer.files))
        yield from (f"{layer.name}: {path} is in no RECORD" for path in layer.files.keys() - rows.keys())
        for path, wanted in rows.items():
            if path not in hashed:
                yield f"{layer.name}: {path} is in a RECORD and not in the layer"
            elif wanted and wanted != hashed[path]:
                yield f"{layer.name}: {path} is not the file of its RECORD (its hash differs)"
            elif not wanted and not path.endswith(".dist-info/RECORD"):
                yield f"{layer.name}: {path} has no hash in its RECORD"


def _recorded(layer: LayerContents) -> Iterator[tuple[str, str]]:
    for path in layer.files:
        if path.endswith(".dist-info/RECORD"):
            for row in csv.reader(layer.files[path].decode().splitlines()):
                yield row[0], row[1] if len(row) > 1 else ""


def _hash(data: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def licences(candidate: Candidate) -> Iterator[str]:
    """Every distribution has its METADATA, and names its licence or contains its text."""
    for layer in candidate.layers:
        folders = {path.partition("/")[0] for path in layer.files if ".dist-info/" in path}
        described = {found.folder: found for found in layer.distributions}
        yield from (
            f"{layer.name}: {folder} has no METADATA" for folder in sorted(folders - described.keys())
        )
        for folder, found in described.items():
            if not _licensed(found, layer, folder):
                yield f"{layer.name}: {found.name} names no licence and contains no text of one"


def _licensed(found: Distribution, layer: LayerContents, folder: str) -> bool:
    named = found.metadata["License-Expression"] or found.metadata["License"]
    classified = any(str(line).startswith("License ::") for line in found.metadata.get_all("Classifier", []))
    text = any(
        path.startswith(f"{folder}/") and path.rpartition("/")[2].lower().startswith(_LICENCE_FILES)
        for path in layer.files
    )
    return bool(named) or classified or text
