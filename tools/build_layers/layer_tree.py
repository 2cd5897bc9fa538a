"""The layer tree: the union of the layers, as Lambda mounts it at /opt, unpacked and kept by digest."""

import functools
import hashlib
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import layers
from tools import archives, cache, cache_limit
from tools.cache import CACHE


def unpack(zips: Sequence[Path], *, store: Path = CACHE) -> Path:
    """A folder that holds the zips' union, as Lambda mounts it at /opt; do not write to it.

    It is kept at least until this process ends: a running function imports from it.
    """
    folder = store / "layer-trees"
    tree = folder / hashlib.sha256("".join(map(layers.sha256, zips)).encode()).hexdigest()[:16]
    unpacked = False
    while not cache_limit.hold(tree):
        _unpack(zips, tree)
        unpacked = True
    if unpacked:  # only after `hold`: a full cache would lose this tree
        cache_limit.trim(store)
    return tree


def _unpack(zips: Sequence[Path], tree: Path) -> None:
    cache.make_folder(tree.parent)
    with tempfile.TemporaryDirectory(dir=tree.parent, prefix=".", ignore_cleanup_errors=True) as scratch:
        with ThreadPoolExecutor() as pool:
            list(pool.map(functools.partial(archives.extract, target=Path(scratch, "opt")), zips))
        publish(Path(scratch, "opt"), tree)


def publish(made: Path, tree: Path) -> None:
    """Move a folder to its place, unless another process has made the same folder."""
    try:
        made.rename(tree)
    except OSError:
        if not tree.exists():  # otherwise another process was faster
            raise
