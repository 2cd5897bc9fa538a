"""What Lambda makes of the layers: their union at /opt, unpacked here and kept between runs by digest."""

import functools
import hashlib
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from zipfile import ZipFile

import layers
from tools.cache import CACHE

_KEPT = 5
"""Trees of up to 115 MB that may lie about, whatever their age."""

_IN_USE_S = 24 * 3600
"""For so long after it was asked for, a tree may be what a running function imports from."""


def unpack(zips: Sequence[Path], *, store: Path = CACHE) -> Path:
    """A folder that holds the zips' union, as Lambda mounts it at /opt; not to be written to."""
    folder = store / "opt"
    tree = folder / hashlib.sha256("".join(map(layers.sha256, zips)).encode()).hexdigest()[:16]
    if not tree.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".", ignore_cleanup_errors=True) as scratch:
            with ThreadPoolExecutor() as pool:
                list(pool.map(functools.partial(_extract, target=Path(scratch, "opt")), zips))
            _settle(Path(scratch, "opt"), tree)
    tree.touch()
    _clear(folder)
    return tree


def _clear(folder: Path) -> None:
    newest_first = sorted(((path.stat().st_mtime, path) for path in folder.glob("[!.]*")), reverse=True)
    for used, tree in newest_first[_KEPT:]:
        if used < time.time() - _IN_USE_S:
            shutil.rmtree(tree, ignore_errors=True)


@contextmanager
def mounted(zips: Sequence[Path], *, store: Path = CACHE) -> Iterator[Path]:
    """The same for a moment, and quicker: of a layer that was seen before, nothing is unpacked again.

    It is made of links, all of which lead to places beside it.
    """
    with ThreadPoolExecutor() as pool:
        trees = list(pool.map(lambda path: unpack([path], store=store), zips))
    with tempfile.TemporaryDirectory(dir=store / "opt", prefix=".") as scratch:
        _unite(trees, Path(scratch, "opt"))
        yield Path(scratch, "opt")


def _unite(trees: Sequence[Path], target: Path) -> None:
    """Link what one tree has, go into the folders that several have; of a file, the last tree's counts."""
    target.mkdir()
    for name in sorted({place.name for tree in trees for place in tree.iterdir()}):
        found = [tree / name for tree in trees if (tree / name).exists()]
        if len(found) > 1 and all(place.is_dir() for place in found):
            _unite(found, target / name)
        else:
            (target / name).symlink_to(found[-1])


def _extract(path: Path, *, target: Path) -> None:
    made = set()
    with ZipFile(path) as archive:
        for info in (info for info in archive.infolist() if not info.is_dir()):
            place = target / info.filename
            if place.parent not in made:
                place.parent.mkdir(parents=True, exist_ok=True)
                made.add(place.parent)
            place.write_bytes(archive.read(info))


def _settle(made: Path, tree: Path) -> None:
    try:
        made.rename(tree)
    except OSError:
        if not tree.exists():  # else another process was faster
            raise
