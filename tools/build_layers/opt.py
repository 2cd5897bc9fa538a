"""What Lambda makes of the layers: their union at /opt, unpacked here and kept between runs by digest."""

import hashlib
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from zipfile import ZipFile

from tools.cache import CACHE

_KEPT = 3
"""Trees of 115 MB that may lie about."""


def unpack(zips: Sequence[Path]) -> Path:
    """A folder that holds the zips' union, as Lambda mounts it at /opt; not to be written to."""
    digest = hashlib.sha256()
    for path in zips:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    tree = CACHE / "opt" / digest.hexdigest()[:16]
    if not tree.exists():
        tree.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=tree.parent, prefix=".", ignore_cleanup_errors=True) as scratch:
            for path in zips:
                _extract(path, Path(scratch, "opt"))
            _settle(Path(scratch, "opt"), tree)
    tree.touch()
    for old in sorted(tree.parent.glob("[!.]*"), key=lambda path: -path.stat().st_mtime)[_KEPT:]:
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


def _settle(made: Path, tree: Path) -> None:
    try:
        made.rename(tree)
    except OSError:
        if not tree.exists():  # another process was no faster
            raise
