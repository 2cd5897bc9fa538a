"""Checks of machine code: Lambda's processor, its libc and its Python."""

import io
import re
from collections.abc import Iterator

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection

import layers
from tools.build_layers.checks.candidate import Candidate

_MACHINES = {"x86_64": "EM_X86_64", "arm64": "EM_AARCH64"}
_NEWEST_GLIBC = (2, 17)
"""The newest that manylinux2014 allows (PEP 599)."""

_NEVER_BINARY = (".py", ".pyc", ".pyi", ".json", ".json.gz")
"""Most of the files; they are not read."""

_FOREIGN = (b"MZ", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe")
_SUFFIX = re.compile(r"\.(cpython-\d+)[^/]*\.so$")


def machine(candidate: Candidate) -> Iterator[str]:
    """Every binary is a 64-bit ELF for the function's processor, and every extension for its Python."""
    tag = f"cpython-{layers.PYTHON.replace('.', '')}"
    for name, path, data in _binaries(candidate):
        if (found := _machine(data)) != _MACHINES[layers.ARCHITECTURE]:
            yield f"{name}: {path} is {found}, not an ELF for {layers.ARCHITECTURE}"
        if (suffix := _SUFFIX.search(path)) and suffix[1] != tag:
            yield f"{name}: {path} is an extension for {suffix[1]}, which {layers.RUNTIME} does not load"


def glibc(candidate: Candidate) -> Iterator[str]:
    """No binary needs a GLIBC symbol newer than 2.17."""
    for name, path, data in _binaries(candidate):
        if data.startswith(b"\x7fELF") and (newest := _newest_glibc(data)) > _NEWEST_GLIBC:
            asked, limit = ".".join(map(str, newest)), ".".join(map(str, _NEWEST_GLIBC))
            yield f"{name}: {path} needs GLIBC_{asked}, and manylinux2014 allows {limit}"


def _binaries(candidate: Candidate) -> Iterator[tuple[str, str, bytes]]:
    for layer in candidate.layers:
        for path in layer.files:
            if path.endswith(_NEVER_BINARY):
                continue
            data = layer.files[path]
            if data.startswith((b"\x7fELF", *_FOREIGN)) or re.search(r"\.so(\.\d+)*$", path):
                yield layer.name, path, data


def _machine(data: bytes) -> str:
    if not data.startswith(b"\x7fELF"):
        return "of another system"
    try:
        elf = ELFFile(io.BytesIO(data))
        return str(elf["e_machine"]) if elf.elfclass == 64 else "a 32-bit ELF"
    except ELFError:
        return "a broken ELF"


def _newest_glibc(data: bytes) -> tuple[int, ...]:
    try:
        sections = [
            part for part in ELFFile(io.BytesIO(data)).iter_sections() if isinstance(part, GNUVerNeedSection)
        ]
        names = [entry.name for part in sections for _, needed in part.iter_versions() for entry in needed]
    except ELFError:
        return ()
    versions = (re.fullmatch(r"GLIBC_(\d+(?:\.\d+)+)", name) for name in names)
    return max((tuple(map(int, match[1].split("."))) for match in versions if match), default=())
