"""Checks of machine code: Lambda's processor, its libc and its Python."""

import io
import re
from collections.abc import Iterator

from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection
from packaging.utils import canonicalize_name

import layers
from layers import target
from tools.build_layers.checks.candidate import Candidate
from tools.build_layers.checks.layer_contents import LayerContents
from tools.build_layers.checks.metadata import walk
from tools.build_layers.checks.result import Harmless
from tools.build_layers.elf import DAMAGED, LIBRARY

_MACHINES = {"x86_64": "EM_X86_64", "arm64": "EM_AARCH64"}
_NEVER_BINARY = (".py", ".pyc", ".pyi", ".json", ".json.gz")
"""Most of the files; they are not read."""

_FOREIGN = (b"MZ", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe")
_SUFFIX = re.compile(r"\.(cpython-\d+)[^/]*\.so$")


def machine(candidate: Candidate) -> Iterator[str]:
    """Every binary is a 64-bit ELF for the function's processor, and every extension for its Python."""
    wanted = _MACHINES[candidate.architecture]
    for layer, path, data in _unchecked_binaries(candidate):
        if (found := _machine(data)) != wanted:
            message = f"{layer.name}: {path} is {found}, not an ELF for {candidate.architecture}"
            yield message if _is_loaded(path, data) else Harmless(message)
        if (suffix := _SUFFIX.search(path)) and suffix[1] != target.EXTENSION:
            message = (
                f"{layer.name}: {path} is an extension for {suffix[1]}, which {layers.RUNTIME} does not load"
            )
            yield Harmless(message) if _has_sibling(layer, path[: suffix.start()]) else message


def _is_loaded(path: str, data: bytes) -> bool:
    """Whether Python would load the file: it is no program, data file or linker script."""
    return bool(LIBRARY.search(path)) and data.startswith((b"\x7fELF", *_FOREIGN))


def _has_sibling(layer: LayerContents, stem: str) -> bool:
    """Whether the same extension is there for the function's Python."""
    own = (f"{stem}.{target.EXTENSION}-", f"{stem}.abi3.so", f"{stem}.so")
    return any(path.startswith(own) for path in layer.files)


def glibc(candidate: Candidate) -> Iterator[str]:
    """No binary needs a newer GLIBC than 2.17, or than 2.34 in a package that an owner added."""
    shipped = _shipped(candidate)
    for layer, path, data in _unchecked_binaries(candidate):
        if data.startswith(b"\x7fELF"):
            layer.needed_glibc[path] = _newest_glibc(data)
    for layer in candidate.layers:
        for path, newest in layer.needed_glibc.items():
            own = (layer.owners.get(path) in shipped) if shipped is not None else False
            limit = layers.SHIPPED_GLIBC if own else layers.GLIBC
            if newest > limit:
                found, allowed = ".".join(map(str, newest)), ".".join(map(str, limit))
                where = "manylinux2014" if own else layers.RUNTIME
                yield f"{layer.name}: {path} needs GLIBC_{found}, and {where} allows {allowed}"


def _shipped(candidate: Candidate) -> set[str] | None:
    """The distributions that only this repository's own requirements need; None without requirements."""
    roots = [("", entry) for layer in candidate.layers for entry in layer.requirements]
    if not roots:
        return None
    present = {found.name: found for layer in candidate.layers for found in layer.distributions}
    markers = target.markers(candidate.architecture)
    ours = [root for root in roots if canonicalize_name(root[1].name) in layers.SHIPPED]
    added = [root for root in roots if root not in ours]
    return walk(present, ours, markers)[1] - walk(present, added, markers)[1]


def _unchecked_binaries(candidate: Candidate) -> Iterator[tuple[LayerContents, str, bytes]]:
    for layer in candidate.layers:
        for path in layer.files:
            if path.endswith(_NEVER_BINARY) or path in layer.passed:
                continue
            data = layer.files[path]
            if data.startswith((b"\x7fELF", *_FOREIGN)) or LIBRARY.search(path):
                yield layer, path, data


def _machine(data: bytes) -> str:
    if not data.startswith(b"\x7fELF"):
        return "not an ELF" if not data.startswith(_FOREIGN) else "of another system"
    try:
        elf = ELFFile(io.BytesIO(data))
        return str(elf["e_machine"]) if elf.elfclass == 64 else "a 32-bit ELF"
    except DAMAGED:
        return "a broken ELF"


def _newest_glibc(data: bytes) -> tuple[int, ...]:
    try:
        sections = [
            part for part in ELFFile(io.BytesIO(data)).iter_sections() if isinstance(part, GNUVerNeedSection)
        ]
        names = [entry.name for part in sections for _, needed in part.iter_versions() for entry in needed]
    except DAMAGED:
        return ()
    versions = (re.fullmatch(r"GLIBC_(\d+(?:\.\d+)+)", name) for name in names)
    return max((tuple(map(int, match[1].split("."))) for match in versions if match), default=())
