"""What the gates judge: layers, or foreign zips and folders, as they would stand in /opt/python."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from email.message import Message
from email.parser import BytesHeaderParser
from functools import cached_property, partial
from pathlib import Path
from zipfile import BadZipFile, ZipFile, ZipInfo

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from layers import Layer
from tools import wheels
from tools.build_layers import fragment, requirements
from tools.command import Failure

ROOT = fragment.ROOT


@dataclass(frozen=True)
class Distribution:
    """An installed distribution: its normalized name, version, metadata and folder."""

    name: str
    version: str
    metadata: Message
    folder: str


class Stored(Mapping[str, bytes]):
    """Files by path, read when they are looked at."""

    def __init__(self, readers: Mapping[str, Callable[[], bytes]]) -> None:
        self._readers = readers

    def __getitem__(self, path: str) -> bytes:
        return self._readers[path]()

    def __iter__(self) -> Iterator[str]:
        return iter(self._readers)

    def __len__(self) -> int:
        return len(self._readers)

    def under(self, folder: str) -> "Stored":
        """Those under a folder, by their path from there."""
        inside = (path for path in self._readers if path.startswith(folder))
        return Stored({path.removeprefix(folder): self._readers[path] for path in inside})


@dataclass(frozen=True)
class Tree:
    """One layer's contents. `files` are those under `python/`, by their path from there."""

    name: str
    path: Path
    files: Stored
    unzipped: int = 0
    """Bytes of all files."""
    outside: Sequence[str] = ()
    """Paths that are not under `python/`."""
    entries: Sequence[ZipInfo] = ()
    """As the zip describes them; none for a folder."""
    pins: Mapping[str, str] | None = None
    """The versions that the layer's lock names; None where there is no lock."""
    requirements: Sequence[Requirement] = ()
    services: Sequence[str] = ()
    """The botocore services that a slim build keeps; none where it keeps all."""

    @cached_property
    def distributions(self) -> list[Distribution]:
        """What is installed, by the metadata."""
        return [
            _distribution(path.partition("/")[0], self.files[path])
            for path in self.files
            if re.fullmatch(r"[^/]+\.dist-info/METADATA", path)
        ]


def _distribution(folder: str, metadata: bytes) -> Distribution:
    parsed = BytesHeaderParser().parsebytes(metadata)
    name, version = str(parsed["Name"]), str(parsed["Version"])
    return Distribution(canonicalize_name(name), str(Version(version)), parsed, folder)


def of_layer(layer: Layer) -> Tree:
    """A built layer, with what its lock says it should be."""
    return replace(
        _of_zip(layer.zip),
        name=layer.name,
        pins=_pins(layer),
        requirements=requirements.read(layer),
        services=layer.services,
    )


def of_path(path: Path) -> Tree:
    """A zip or a folder that something else built."""
    return _of_folder(path) if path.is_dir() else _of_zip(path)


def of_wheels(layer: Layer) -> Tree:
    """Of a layer that need not be built, what its lock's wheels say of themselves."""
    files: dict[str, Callable[[], bytes]] = {}
    for wheel in wheels.fetch(layer.lock):
        with ZipFile(wheel) as archive:
            name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
            files[name] = partial(bytes, archive.read(name))
    return Tree(
        layer.name, layer.lock, Stored(files), pins=_pins(layer), requirements=requirements.read(layer)
    )


def _pins(layer: Layer) -> dict[str, str]:
    pins = wheels.pins(layer.lock.read_text("utf-8")).values()
    return {pin.name: pin.version for pin in pins}


def _of_zip(path: Path) -> Tree:
    try:
        data = path.read_bytes()
        with ZipFile(path) as archive:
            stored = list(fragment.entries(archive, data))
    except (OSError, BadZipFile) as error:
        raise Failure(f"{path} cannot be read as a zip ({error})") from None
    infos = [entry.info for entry in stored]
    readers = {entry.info.filename: partial(fragment.unpacked, entry) for entry in stored}
    return _tree(path, readers, unzipped=sum(info.file_size for info in infos), entries=infos)


def _of_folder(path: Path) -> Tree:
    places = [place for place in sorted(path.rglob("*")) if place.is_file()]
    readers = {place.relative_to(path).as_posix(): place.read_bytes for place in places}
    return _tree(path, readers, unzipped=sum(place.stat().st_size for place in places))


def _tree(
    path: Path,
    readers: Mapping[str, Callable[[], bytes]],
    *,
    unzipped: int,
    entries: Sequence[ZipInfo] = (),
) -> Tree:
    """Judge by `python/` where there is such a folder, else by the top: a function's own folder has none."""
    everything = Stored(readers)
    inside = everything.under(ROOT)
    outside = [place for place in readers if not place.startswith(ROOT)]
    return Tree(path.name, path, inside if len(inside) else everything, unzipped, outside, entries)
