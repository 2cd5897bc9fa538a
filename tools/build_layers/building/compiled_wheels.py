"""Compiled wheels: everything that a wheel puts into a layer, with its bytecode, kept in the cache."""

import hashlib
import io
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.parser import BytesHeaderParser
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from layers import interpreter
from tools import cache
from tools.build_layers import zip_entries
from tools.build_layers.building.compiler_pool import compiler_pool
from tools.build_layers.progress import Progress
from tools.build_layers.target_scripts import compile_wheel
from tools.build_layers.zip_entries import Entry, read_entries

_COMPILER = (Path(compile_wheel.__file__), Path(zip_entries.__file__))
_DIGEST_BYTES = hashlib.sha256().digest_size


@dataclass(frozen=True)
class CompiledWheel:
    """A wheel and its entries in a layer."""

    wheel: Path
    entries: tuple[Entry, ...]

    @property
    def sha256(self) -> str:
        """The wheel's digest, in hex: the cache names its folder by it."""
        return self.wheel.parent.name

    def distribution(self) -> dict[str, str]:
        """The wheel's row in the manifest."""
        metadata = BytesHeaderParser().parsebytes(self._read(".dist-info/METADATA"))
        return {
            "name": metadata["Name"],
            "version": metadata["Version"],
            "licence": licence(metadata),
            "wheel": self.wheel.name,
            "sha256": self.sha256,
        }

    def _read(self, ending: str) -> bytes:
        return next(entry for entry in self.entries if entry.path.endswith(ending)).read()


def licence(metadata: Any) -> str:
    """The licence's name; some metadata contain its whole text instead, which is not a name."""
    named = metadata["License-Expression"] or metadata["License"] or ""
    classified = [
        line.rpartition(" :: ")[2] for line in metadata.get_all("Classifier", []) if "License" in line
    ]
    short = named if "\n" not in named and named.upper() != "UNKNOWN" else ""
    return short or ", ".join(classified)


def compile_all(wheels: Iterable[Path], store: Path, progress: Progress) -> list[CompiledWheel]:
    """Take the compiled wheels from the cache, or compile them on all cores, each as soon as it arrives."""
    with compiler_pool(os.cpu_count() or 1) as compiled, ThreadPoolExecutor(os.cpu_count()) as pool:
        folder = pool.submit(_folder, store)  # starts an interpreter while the wheels arrive

        def one(wheel: Path) -> CompiledWheel:
            kept = folder.result() / wheel.parent.name
            data = _intact(cache.read(kept))
            if data is None:
                data = compiled(wheel)
                cache.write(kept, hashlib.sha256(data).digest() + data)
            progress.advance()
            return _read(wheel, data)

        return list(pool.map(one, wheels))


def _folder(store: Path) -> Path:
    """Where the wheels are kept that this compiler makes with the target interpreter."""
    key = b"".join(path.read_bytes() for path in _COMPILER) + interpreter.build(interpreter.target()).encode()
    return store / "compiled" / hashlib.sha256(key).hexdigest()[:16]


def _read(wheel: Path, data: bytes) -> CompiledWheel:
    with ZipFile(io.BytesIO(data)) as archive:
        return CompiledWheel(wheel, tuple(read_entries(archive, data)))


def _intact(kept: bytes | None) -> bytes | None:
    """A cached compiled wheel without the digest that it starts with; None if it is damaged."""
    if kept and hashlib.sha256(kept[_DIGEST_BYTES:]).digest() == kept[:_DIGEST_BYTES]:
        return kept[_DIGEST_BYTES:]
    return None
