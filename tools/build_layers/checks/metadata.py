"""Checks of the distributions' metadata."""

import base64
import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from layers import target
from layers.target import FULL_VERSION
from tools.build_layers.checks.candidate import Candidate
from tools.build_layers.checks.layer_contents import Distribution, LayerContents
from tools.build_layers.checks.result import Harmless

_LICENCE_FILES = ("licen", "copying", "notice")


def closure(candidate: Candidate) -> Iterator[str]:
    """Every requirement is met for the target, in the layer or in one before it; nothing else is there."""
    present: dict[str, Distribution] = {}
    reached: set[str] = set()
    for layer in candidate.layers:
        present |= {found.name: found for found in layer.distributions}
        asked = [("the requirements", root) for root in layer.requirements]
        whole = asked or [(found.name, Requirement(found.name)) for found in layer.distributions]
        violations, met = walk(present, whole, target.markers(candidate.architecture))
        reached |= met
        yield from (type(violation)(f"{layer.name}: {violation}") for violation in violations)
        if asked:
            yield from (
                f"{layer.name}: nothing needs {found.name}"
                for found in layer.distributions
                if found.name not in reached
            )


def walk(
    present: Mapping[str, Distribution],
    roots: Iterable[tuple[str, Requirement]],
    markers: Mapping[str, str],
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
        if not _contains(wanted, found.version):
            violations[f"{source} needs {wanted}, and {found.version} is there"] = None
        for extra in {"", *wanted.extras}:
            if (name, extra) not in reached:
                reached.add((name, extra))
                waiting += [(name, needed) for needed in _requires(found, extra, markers)]
                violations |= dict.fromkeys([*_wrong_python(found), *_invalid(found)])
    return list(violations), {name for name, _ in reached}


def _requires(found: Distribution, extra: str, markers: Mapping[str, str]) -> Iterator[Requirement]:
    for line in found.metadata.get("requires_dist", []):
        try:
            needed = Requirement(line)
        except InvalidRequirement:
            continue  # reported by `_invalid`
        if needed.marker is None or needed.marker.evaluate({**markers, "extra": extra}):
            yield needed


def _invalid(found: Distribution) -> Iterator[str]:
    for line in found.metadata.get("requires_dist", []):
        try:
            Requirement(line)
        except InvalidRequirement:
            yield f"{found.name} has the invalid requirement {line!r}: require another version of it"


def _wrong_python(found: Distribution) -> Iterator[str]:
    asked = found.metadata.get("requires_python") or ""
    try:
        if not SpecifierSet(asked).contains(FULL_VERSION):
            yield f"{found.name} needs Python {asked}, and the function has {FULL_VERSION}"
    except InvalidSpecifier:  # pip ignores it, too
        yield Harmless(f"{found.name} has the invalid Requires-Python {asked!r}")


def _contains(wanted: Requirement, version: str) -> bool:
    try:
        return wanted.specifier.contains(Version(version), prereleases=True)
    except InvalidVersion:
        return not wanted.specifier


def record(candidate: Candidate) -> Iterator[str]:
    """Every file is in a RECORD with its hash, and every file of a RECORD is there."""
    for layer in candidate.layers:
        rows = {path: wanted for record in layer.records.values() for path, wanted in record.items()}
        new = [path for path in layer.files if path in rows and path not in layer.hashes]
        with ThreadPoolExecutor(os.cpu_count()) as pool:  # hashing lets other threads run
            list(pool.map(layer.sha256, new))
        faults = {path: _wrong_hash(path, layer, rows) for path in layer.files}
        yield from (f"{layer.name}: {path} is in no RECORD" for path in layer.files.keys() - rows.keys())
        for path in rows:
            if path not in faults:
                yield f"{layer.name}: {path} is in a RECORD and not in the layer"
            elif fault := faults[path]:
                yield type(fault)(f"{layer.name}: {path} {fault}")
        yield from _irregular_wheels(layer)


def _irregular_wheels(layer: LayerContents) -> Iterator[str]:
    """What the build corrected in the RECORD of a wheel."""
    built = layer.source.read_manifest().get("distributions", []) if layer.source else []
    for distribution in built:
        if found := distribution.get("irregular"):
            more = f" and {found['count'] - 1:,} more" if found["count"] > 1 else ""
            yield Harmless(f"{layer.name}: {distribution['wheel']}: {found['first'][0]}{more}")


def _wrong_hash(path: str, layer: LayerContents, rows: Mapping[str, str]) -> str | None:
    """Why a file is not what its RECORD says; None if it is."""
    algorithm, _, wanted = rows.get(path, "").partition("=")
    if not wanted:
        record = re.fullmatch(r"[^/]+\.dist-info/RECORD", path)
        return None if record or path not in rows else Harmless("has no hash in its RECORD")
    if algorithm not in hashlib.algorithms_guaranteed or algorithm.startswith("shake"):
        return Harmless(f"has a hash of an unknown kind in its RECORD: {algorithm}")
    if algorithm == "sha256":
        found = layer.sha256(path)
    else:
        found = base64.urlsafe_b64encode(hashlib.new(algorithm, layer.files[path]).digest()).decode()
    same = found.rstrip("=") == wanted.rstrip("=")  # some tools write the padding
    return None if same else "is not the file of its RECORD (its hash differs)"


def licences(candidate: Candidate) -> Iterator[str]:
    """Every distribution has its METADATA, and names its licence or contains its text."""
    for layer in candidate.layers:
        folders = {path.partition("/")[0] for path in layer.files if re.match(r"[^/]+\.dist-info/", path)}
        described = {found.folder: found for found in layer.distributions}
        yield from (
            f"{layer.name}: {folder} has no METADATA" for folder in sorted(folders - described.keys())
        )
        for folder, found in described.items():
            if not _licensed(found, layer, folder):
                yield Harmless(f"{layer.name}: {found.name} names no licence and contains no text of one")


def _licensed(found: Distribution, layer: LayerContents, folder: str) -> bool:
    named = found.metadata.get("license_expression") or found.metadata.get("license")
    classified = any(line.startswith("License ::") for line in found.metadata.get("classifiers", []))
    text = any(
        path.startswith(f"{folder}/") and path.rpartition("/")[2].lower().startswith(_LICENCE_FILES)
        for path in layer.files
    )
    return bool(named) or classified or text
