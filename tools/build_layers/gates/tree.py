"""What the gates judge: layers, or foreign zips and folders, as they would stand in /opt/python."""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesHeaderParser
from functools import cached_property
from pathlib import Path
from zipfile import BadZipFile, ZipFile, ZipInfo

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

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


@dataclass(frozen=True)
class Tree:
    """One layer's contents. `files` are those under `python/`, by their path from there."""

    name: str
    path: Path
    files: Mapping[str, bytes]
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
        parser = BytesHeaderParser()
        found = []
        for path, data in self.files.items():
            folder, _, name = path.partition("/")
            if name == "METADATA" and folder.endswith(".dist-info"):
                metadata = parser.parsebytes(data)
                named = canonicalize_name(str(metadata["Name"]))
                found.append(Distribution(named, str(metadata["Version"]), metadata, folder))
        return found


def of_layer(layer: Layer) -> Tree:
    """A built layer, with what its lock says it should be."""
    pins = wheels.pins(layer.lock.read_text("utf-8"))
    entries, files = _read_zip(layer.zip)
    return _tree(
        layer.name,
        layer.zip,
        files,
        entries,
        pins={pin.name: pin.version for pin in pins.values()},
        requirements=requirements.read(layer),
        services=layer.services,
    )


def of_path(path: Path) -> Tree:
    """A zip or a folder that something else built."""
    if path.is_dir():
        return _tree(path.name, path, _read_folder(path))
    entries, files = _read_zip(path)
    return _tree(path.name, path, files, entries)


def _tree(
    name: str, path: Path, files: Mapping[str, bytes], entries: Sequence[ZipInfo] = (), **known: object
) -> Tree:
    """Judge by `python/` where there is such a folder, else by the top: a function's own folder has none."""
    inside = {place.removeprefix(ROOT): data for place, data in files.items() if place.startswith(ROOT)}
    outside = [place for place in files if not place.startswith(ROOT)]
    return Tree(name, path, inside or files, outside, entries, **known)  # type: ignore[arg-type]


def _read_zip(path: Path) -> tuple[list[ZipInfo], dict[str, bytes]]:
    try:
        data = path.read_bytes()
        with ZipFile(path) as archive:
            stored = list(fragment.entries(archive, data))
    except (OSError, BadZipFile) as error:
        raise Failure(f"{path} cannot be read as a zip ({error})") from None
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # zlib lets other threads run
        unpacked = pool.map(fragment.unpacked, stored)
    infos = [entry.info for entry in stored]
    return infos, {info.filename: data for info, data in zip(infos, unpacked, strict=True)}


def _read_folder(path: Path) -> dict[str, bytes]:
    return {
        place.relative_to(path).as_posix(): place.read_bytes() for place in path.rglob("*") if place.is_file()
    }


def of_wheels(layer: Layer) -> Tree:
    """Of a layer that need not be built, what its lock's wheels say of themselves."""
    files: dict[str, bytes] = {}
    for wheel in wheels.fetch(layer.lock):
        with ZipFile(wheel) as archive:
            names = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
            files |= {name: archive.read(name) for name in names}
    return _tree(layer.name, layer.lock, files, requirements=requirements.read(layer))
