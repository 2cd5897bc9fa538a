"""What the checks read: layers, or zips and folders of other tools, as they would be in /opt/python."""

import base64
import csv
import hashlib
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from zipfile import BadZipFile, ZipFile, ZipInfo

from packaging.metadata import RawMetadata, parse_email
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from layers import Layer
from tools import archives, wheels
from tools.build_layers.locking import requirements
from tools.build_layers.parts import Part, divide
from tools.command import Failure
from tools.zip_entries import ROOT, Entry, read_entries


@dataclass(frozen=True)
class Distribution:
    """An installed distribution: its normalized name, version, metadata and folder."""

    name: str
    version: str
    metadata: RawMetadata
    folder: str


class LazyFiles(Mapping[str, bytes]):
    """Files by path, read when they are used."""

    def __init__(self, readers: Mapping[str, Callable[[], bytes]]) -> None:
        self._readers = readers

    def __getitem__(self, path: str) -> bytes:
        return self._readers[path]()

    def __iter__(self) -> Iterator[str]:
        return iter(self._readers)

    def __len__(self) -> int:
        return len(self._readers)

    def under(self, folder: str) -> "LazyFiles":
        """Those under a folder, by their path from there."""
        inside = (path for path in self._readers if path.startswith(folder))
        return LazyFiles({path.removeprefix(folder): self._readers[path] for path in inside})


@dataclass(frozen=True)
class LayerContents:
    """One layer's contents. `files` are those under `python/`, by their path from there."""

    name: str
    path: Path
    files: LazyFiles
    unzipped: int = 0
    """Bytes of all files."""
    outside: Sequence[str] = ()
    """Paths that are not under `python/`."""
    stored: Sequence[Entry] = ()
    """The zip's entries; none for a folder."""
    source: Layer | None = None
    """The layer that was built; None for what another tool built."""
    pins: Mapping[str, str] | None = None
    """The versions of the layer's lock; None if there is no lock."""
    requirements: Sequence[Requirement] = ()
    services: Sequence[str] = ()
    """The botocore services that a slim build keeps; none if it keeps all."""
    passed: Collection[str] = ()
    """Files that passed the checks of single files before: see `passed_parts`."""
    hashes: dict[str, str] = field(default_factory=dict)
    """The SHA-256 of each file that was hashed, as RECORD writes it; by path, as the following."""
    needed_glibc: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """The glibc that each binary needs that was read; empty if it needs none."""

    def sha256(self, path: str) -> str:
        """A file's hash, as RECORD writes it; computed once."""
        if path not in self.hashes:
            digest = hashlib.sha256(self.files[path]).digest()
            self.hashes[path] = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        return self.hashes[path]

    @property
    def entries(self) -> list[ZipInfo]:
        """The zip's descriptions; none for a folder."""
        return [entry.info for entry in self.stored]

    @cached_property
    def parts(self) -> list[Part]:
        """The zip, divided by distributions; nothing for a folder."""
        return divide(self.stored, self.owners)

    def size(self, path: str) -> int:
        """A file's bytes."""
        return self._sizes[path] if path in self._sizes else len(self.files[path])

    @cached_property
    def _sizes(self) -> dict[str, int]:
        return {entry.filename.removeprefix(ROOT): entry.file_size for entry in self.entries}

    @cached_property
    def distributions(self) -> list[Distribution]:
        """The installed distributions, by their metadata."""
        return [
            _distribution(path.partition("/")[0], self.files[path])
            for path in self.files
            if re.fullmatch(r"[^/]+\.dist-info/METADATA", path)
        ]

    @cached_property
    def records(self) -> dict[str, dict[str, str]]:
        """The rows of each RECORD: the hash, by the distribution's folder and by path."""
        return {
            path.partition("/")[0]: {
                row[0]: row[1] if len(row) > 1 else ""
                for row in csv.reader(self.files[path].decode("utf-8", "replace").splitlines())
                if row
            }
            for path in self.files
            if re.fullmatch(r"[^/]+\.dist-info/RECORD", path)
        }

    @cached_property
    def owners(self) -> dict[str, str]:
        """The distribution of each file, by path."""
        names = {found.folder: found.name for found in self.distributions}
        return {path: names.get(folder, folder) for folder, rows in self.records.items() for path in rows}


def _distribution(folder: str, metadata: bytes) -> Distribution:
    parsed, _ = parse_email(metadata)
    name, _, version = folder.removesuffix(".dist-info").partition("-")
    return Distribution(
        canonicalize_name(parsed.get("name") or name), parsed.get("version") or version, parsed, folder
    )


def read_layer(layer: Layer) -> LayerContents:
    """A built layer, with its lock's pins."""
    return replace(
        _read_zip(layer.zip),
        name=layer.name,
        source=layer,
        pins=_pins(layer),
        requirements=requirements.read(layer),
        services=layer.services,
    )


def read_path(path: Path) -> LayerContents:
    """A zip or a folder that something else built."""
    return _read_folder(path) if path.is_dir() else _read_zip(path)


def read_wheels(layer: Layer) -> LayerContents:
    """The metadata of the wheels of a layer's lock; the layer need not be built."""
    files: dict[str, Callable[[], bytes]] = {}
    for wheel in wheels.fetch(layer.lock, architecture=layer.architecture):
        with ZipFile(wheel) as archive:
            names = [name for name in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", name)]
            files |= {name: partial(bytes, archive.read(name)) for name in names[:1]}
    return LayerContents(
        layer.name, layer.lock, LazyFiles(files), pins=_pins(layer), requirements=requirements.read(layer)
    )


def _pins(layer: Layer) -> dict[str, str]:
    pins = wheels.read_lock(layer.lock.read_text("utf-8")).values()
    return {pin.name: pin.version for pin in pins}


def _read_zip(path: Path) -> LayerContents:
    try:
        data = path.read_bytes()
        with ZipFile(path) as archive:
            archives.reject_unsafe(path, archive.infolist())
            stored = list(read_entries(archive, data))
    except (OSError, BadZipFile) as error:
        raise Failure(f"{path} cannot be read as a zip ({error}): build it again") from None
    readers = {entry.path: entry.read for entry in stored}
    return _contents(path, readers, unzipped=sum(entry.info.file_size for entry in stored), stored=stored)


def _read_folder(path: Path) -> LayerContents:
    places = [place for place in sorted(path.rglob("*")) if place.is_file()]
    readers = {place.relative_to(path).as_posix(): place.read_bytes for place in places}
    return _contents(path, readers, unzipped=sum(place.stat().st_size for place in places))


def _contents(
    path: Path,
    readers: Mapping[str, Callable[[], bytes]],
    *,
    unzipped: int,
    stored: Sequence[Entry] = (),
) -> LayerContents:
    """Read `python/` if there is such a folder, else everything: a function's own folder has none."""
    everything = LazyFiles(readers)
    inside = everything.under(ROOT)
    outside = [place for place in readers if not place.startswith(ROOT)]
    return LayerContents(path.name, path, inside if len(inside) else everything, unzipped, outside, stored)
