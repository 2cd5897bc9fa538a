"""From locks to zips: fetch the wheels, compile each as it arrives, and merge those of each layer."""

import contextlib
import errno
import hashlib
import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from zipfile import BadZipFile

from filelock import FileLock

import layers
from layers import Layer, interpreter
from tools import cache, cache_limit, wheels
from tools.build_layers.building import selection
from tools.build_layers.building.compiled_wheels import CompiledWheel, compile_all
from tools.build_layers.building.excluded_libraries import reject_needed
from tools.build_layers.progress import Progress, Silent
from tools.command import Failure
from tools.zip_entries import ROOT, Entry, write_zip


def build(
    stack: Sequence[Layer] = layers.LAYERS, *, store: Path = cache.CACHE, progress: Progress | None = None
) -> list[Layer]:
    """Build the layers whose zips are not what their locks give, and return these layers.

    An interrupted build leaves no partial file. Two builds at once wait for each other.

    Raises:
        Failure: what could not be done, and the remedy.
    """
    with _errors_explained(store):
        if not any(layers.stale_reason(layer) for layer in stack):
            return []
        with _exclusive(stack[0]):
            stale = [layer for layer in stack if layers.stale_reason(layer)]
            if stale:
                _build(stale, store, progress or Silent())
                cache_limit.trim(store)
            return stale


def _build(stale: Sequence[Layer], store: Path, progress: Progress) -> None:
    interpreter.target()  # Without it nothing can be compiled: find out before wheels are downloaded.
    locks = [layer.lock for layer in stale]
    pins = [wheels.read_lock(lock.read_text("utf-8")).values() for lock in locks]
    progress.begin("Building", 2 * sum(map(len, pins)))
    arriving = wheels.iter_wheels(
        *locks, architecture=stale[0].architecture, cache=store, progress=progress.advance
    )
    with contextlib.closing(arriving):
        compiled = compile_all(arriving, store, progress)
    for layer, wanted in zip(stale, pins, strict=True):
        hashes = {sha256 for pin in wanted for sha256 in pin.hashes}
        _write(layer, [wheel for wheel in compiled if wheel.sha256 in hashes])


def _write(layer: Layer, compiled: Sequence[CompiledWheel]) -> None:
    offered = [entry for wheel in compiled for entry in wheel.entries]
    selection.reject_unused(layer, [entry.path for entry in offered])
    entries = merge(
        {wheel.wheel.name: selection.select(wheel.entries, layer) for wheel in compiled}, layer.name
    )
    reject_needed(layer, offered, entries)
    buffer = io.BytesIO()
    write_zip(buffer, entries)
    data = buffer.getvalue()
    manifest = {
        "name": layer.name,
        "python": layers.PYTHON,
        "platform": layer.platform,
        "inputs": layer.digest(),
        "digest": hashlib.sha256(data).hexdigest(),
        "bytes_zipped": len(data),
        "bytes_unzipped": sum(entry.info.file_size for entry in entries),
        "botocore_services": layer.services or "all",
        "distributions": sorted(
            (wheel.distribution() for wheel in compiled), key=lambda found: found["name"].lower()
        ),
    }
    cache.write(layer.zip, data)
    cache.write(layer.manifest, json.dumps(manifest, indent=1).encode())


def merge(wheels: Mapping[str, Sequence[Entry]], layer: str) -> list[Entry]:
    """The entries of all wheels, sorted by path; files that several wheels contain with equal bytes once.

    Raises:
        Failure: two wheels contain different files of the same path.
    """
    merged: dict[str, tuple[str, Entry]] = {}
    for name, entries in wheels.items():
        for entry in entries:
            other, kept = merged.setdefault(entry.path, (name, entry))
            if kept is not entry and kept.read() != entry.read():
                path = entry.path.removeprefix(ROOT)
                raise Failure(
                    f"{path} is in {other} and, with other contents, in {name}: a layer cannot hold both: "
                    f"if the function needs neither, add the line {path} to layers/{layer}/exclude.txt"
                )
    return [merged[path][1] for path in sorted(merged)]


@contextlib.contextmanager
def _exclusive(layer: Layer) -> Iterator[None]:
    layer.zip.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(layer.zip.parent / ".lock"):
        yield


@contextlib.contextmanager
def _errors_explained(store: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS):
            raise
        where = error.filename or store
        raise Failure(
            f"{os.strerror(error.errno)}: {where}: make room or grant access, then run it again"
        ) from None
    except BadZipFile as error:
        raise Failure(f"a wheel is not a zip ({error}): delete {store} and run it again") from None
