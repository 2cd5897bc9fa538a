"""Compiled wheels: everything that a wheel puts into a layer, with its bytecode, kept in the cache."""

import hashlib
import io
import json
import os
import re
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from packaging.metadata import RawMetadata, parse_email
from packaging.utils import parse_wheel_filename

from layers import interpreter
from tools import cache, cache_limit, zip_entries
from tools.build_layers import signatures
from tools.build_layers.building.compiler_pool import compiler_pool
from tools.build_layers.progress import Progress
from tools.build_layers.target_scripts import compile_wheel
from tools.zip_entries import ROOT, Entry, read_entries

_COMPILER = (Path(compile_wheel.__file__), Path(zip_entries.__file__))


@dataclass(frozen=True)
class CompiledWheel:
    """A wheel and its entries in a layer."""

    wheel: Path
    entries: tuple[Entry, ...]
    irregular: Mapping[str, Any]
    """How many harmless irregularities the wheel has (`count`), and the first of them (`first`)."""

    @property
    def sha256(self) -> str:
        """The wheel's digest, in hex: the cache names its folder by it."""
        return self.wheel.parent.name

    def distribution(self) -> dict[str, Any]:
        """The wheel's row in the manifest."""
        found = self._metadata()
        name, version, _, _ = parse_wheel_filename(self.wheel.name)
        return {
            "name": found.get("name") or str(name),
            "version": found.get("version") or str(version),
            "licence": licence(found),
            "wheel": self.wheel.name,
            "sha256": self.sha256,
            **({"irregular": self.irregular} if self.irregular else {}),
        }

    def _metadata(self) -> RawMetadata:
        path = re.compile(rf"{ROOT}[^/]+\.dist-info/METADATA")
        found = next((entry for entry in self.entries if path.fullmatch(entry.path)), None)
        return parse_email(found.read())[0] if found else {}


def licence(metadata: RawMetadata) -> str:
    """The licence's name; some metadata contain its whole text instead, which is not a name."""
    named = metadata.get("license_expression") or metadata.get("license") or ""
    classified = [
        line.rpartition(" :: ")[2]
        for line in metadata.get("classifiers", [])
        if line.startswith("License ::")
    ]
    short = named if "\n" not in named and named.upper() != "UNKNOWN" else ""
    return short or ", ".join(classified)


def compile_all(wheels: Iterable[Path], store: Path, progress: Progress) -> list[CompiledWheel]:
    """Take the compiled wheels from the cache, or compile them on all cores, each as soon as it arrives."""
    with compiler_pool(os.cpu_count() or 1) as compiled, ThreadPoolExecutor(os.cpu_count()) as pool:
        folder = pool.submit(_folder, store)  # starts an interpreter while the wheels arrive

        def one(wheel: Path) -> CompiledWheel:
            kept = folder.result() / wheel.parent.name
            data = signatures.verified(kept.name, cache.read(kept))
            if data is None:
                data = compiled(wheel)
                cache.write(kept, signatures.sign(kept.name, data))
            cache_limit.mark_used(kept)
            progress.advance()
            return read_compiled(wheel, data)

        return list(pool.map(one, wheels))


def read_compiled(wheel: Path, data: bytes) -> CompiledWheel:
    """A compiled wheel from what the compiler wrote."""
    with ZipFile(io.BytesIO(data)) as archive:
        irregular = json.loads(archive.comment) if archive.comment else {}
        return CompiledWheel(wheel, tuple(read_entries(archive, data)), irregular)


def _folder(store: Path) -> Path:
    """Where the wheels are kept that this compiler makes with the target interpreter."""
    key = b"".join(path.read_bytes() for path in _COMPILER) + interpreter.build(interpreter.target()).encode()
    return store / "compiled" / hashlib.sha256(key).hexdigest()[:16]
