"""Gates on what the distributions say of themselves."""

import base64
import csv
import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from tools.build_layers.gates.candidate import Candidate
from tools.build_layers.gates.tree import Distribution, Tree
from tools.build_layers.target import FULL_VERSION, MARKERS

_LICENCE_FILES = ("licen", "copying", "notice")


def closure(candidate: Candidate) -> Iterator[str]:
    """Every requirement is met for the target, by the layer or those before it; nothing is superfluous."""
    present: dict[str, Distribution] = {}
    reached: set[str] = set()
    for tree in candidate.trees:
        present |= {found.name: found for found in tree.distributions}
        asked = [("the requirements", root) for root in tree.requirements]
        whole = asked or [(found.name, Requirement(found.name)) for found in tree.distributions]
        breaches, met = walk(present, whole)
        reached |= met
        yield from (f"{tree.name}: {breach}" for breach in breaches)
        if asked:
            yield from (
                f"{tree.name}: nothing needs {found.name}"
                for found in tree.distributions
                if found.name not in reached
            )


def walk(
    present: Mapping[str, Distribution], roots: Iterable[tuple[str, Requirement]]
) -> tuple[list[str], set[str]]:
    """Follow the requirements, extras and markers included: what is wrong, and what was reached."""
    breaches: dict[str, None] = {}
    reached: set[tuple[str, str]] = set()
    waiting = list(roots)
    while waiting:
        asker, wanted = waiting.pop()
        name = canonicalize_name(wanted.name)
        if (found := present.get(name)) is None:
            breaches[f"{asker} needs {wanted}, which is missing"] = None
            continue
        if not wanted.specifier.contains(found.version, prereleases=True):
            breaches[f"{asker} needs {wanted}, and {found.version} is there"] = None
        for extra in {"", *wanted.extras}:
            if (name, extra) not in reached:
                reached.add((name, extra))
                waiting += [(name, needed) for needed in _requires(found, extra)]
                breaches |= dict.fromkeys(_wrong_python(found))
    return list(breaches), {name for name, _ in reached}


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
    """Every file stands in a RECORD with the hash it has; every file of a RECORD is there."""
    for tree in candidate.trees:
        rows = dict(_recorded(tree))
        with ThreadPoolExecutor(os.cpu_count()) as pool:  # hashing lets other threads run
            hashed = dict(pool.map(lambda path, tree=tree: (path, _hash(tree.files[path])), tree.files))
        yield from (f"{tree.name}: {path} is in no RECORD" for path in tree.files.keys() - rows.keys())
        for path, wanted in rows.items():
            if path not in hashed:
                yield f"{tree.name}: {path} is in a RECORD and not in the layer"
            elif wanted and wanted != hashed[path]:
                yield f"{tree.name}: {path} is not the file of its RECORD (its hash differs)"
            elif not wanted and not path.endswith(".dist-info/RECORD"):
                yield f"{tree.name}: {path} has no hash in its RECORD"


def _recorded(tree: Tree) -> Iterator[tuple[str, str]]:
    for path in tree.files:
        if path.endswith(".dist-info/RECORD"):
            for row in csv.reader(tree.files[path].decode().splitlines()):
                yield row[0], row[1] if len(row) > 1 else ""


def _hash(data: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def licences(candidate: Candidate) -> Iterator[str]:
    """Every distribution has its METADATA, and says under which licence it stands or brings its text."""
    for tree in candidate.trees:
        folders = {path.partition("/")[0] for path in tree.files if ".dist-info/" in path}
        described = {found.folder: found for found in tree.distributions}
        yield from (f"{tree.name}: {folder} has no METADATA" for folder in sorted(folders - described.keys()))
        for folder, found in described.items():
            if not _licensed(found, tree, folder):
                yield f"{tree.name}: {found.name} names no licence and brings no text of one"


def _licensed(found: Distribution, tree: Tree, folder: str) -> bool:
    named = found.metadata["License-Expression"] or found.metadata["License"]
    classified = any(str(line).startswith("License ::") for line in found.metadata.get_all("Classifier", []))
    text = any(
        path.startswith(f"{folder}/") and path.rpartition("/")[2].lower().startswith(_LICENCE_FILES)
        for path in tree.files
    )
    return bool(named) or classified or text
