"""What Lambda makes of the layers: their union at /opt, unpacked here and kept between runs by digest."""

import functools
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from zipfile import ZipFile

from tools.cache import CACHE

_KEPT = 6
"""Trees that may lie about; unchanged layers share their files."""


def unpack(zips: Sequence[Path], *, store: Path = CACHE) -> Path:
    """A folder that holds the zips' union, as Lambda mounts it at /opt; not to be written to."""
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in zips]
    folder = store / "opt"
    trees = [
        _kept(folder, digest, functools.partial(_extract, path))
        for path, digest in zip(zips, digests, strict=True)
    ]
    return _kept(folder, "".join(digests), functools.partial(_unite, trees))


def _kept(folder: Path, name: str, fill: Callable[[Path], None]) -> Path:
    """The tree of that name, filled if it is not there; those not used for longest go."""
    tree = folder / hashlib.sha256(name.encode()).hexdigest()[:16]
    if not tree.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".", ignore_cleanup_errors=True) as scratch:
            fill(Path(scratch, "opt"))
            _settle(Path(scratch, "opt"), tree)
    tree.touch()
    for old in sorted(folder.glob("[!.]*"), key=lambda path: -path.stat().st_mtime)[_KEPT:]:
        shutil.rmtree(old, ignore_errors=True)
    return tree


def _extract(path: Path, target: Path) -> None:
    made = set()
    with ZipFile(path) as archive:
        for info in archive.infolist():
            place = target / info.filename
            if place.parent not in made:
                place.parent.mkdir(parents=True, exist_ok=True)
                made.add(place.parent)
            place.write_bytes(archive.read(info))


def _unite(trees: Sequence[Path], target: Path) -> None:
    for tree in trees:
        shutil.copytree(tree, target, dirs_exist_ok=True, copy_function=_link)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # a file system without links
        shutil.copyfile(source, target)


def _settle(made: Path, tree: Path) -> None:
    try:
        made.rename(tree)
    except OSError:
        if not tree.exists():  # else another process was faster
            raise
