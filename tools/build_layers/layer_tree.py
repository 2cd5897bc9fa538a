"""The layer tree: the union of the layers, as Lambda mounts it at /opt, unpacked and kept by digest."""

import functools
import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
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
        _publish(Path(scratch, "opt"), tree)


@contextmanager
def mounted(zips: Sequence[Path], *, store: Path = CACHE) -> Iterator[Path]:
    """The same as a temporary folder of links, without unpacking a layer again that was unpacked before."""
    with ThreadPoolExecutor() as pool:
        trees = list(pool.map(lambda path: unpack([path], store=store), zips))
    with tempfile.TemporaryDirectory(dir=store / "layer-trees", prefix=".") as scratch:
        _unite(trees, Path(scratch, "opt"))
        yield Path(scratch, "opt")


def _unite(trees: Sequence[Path], target: Path) -> None:
    """Link what one tree has, merge the folders that several have; the last tree's file wins."""
    target.mkdir()
    for name in sorted({place.name for tree in trees for place in tree.iterdir()}):
        found = [tree / name for tree in trees if (tree / name).exists()]
        if len(found) > 1 and all(place.is_dir() for place in found):
            _unite(found, target / name)
        else:
            (target / name).symlink_to(found[-1])


def _publish(made: Path, tree: Path) -> None:
    try:
        made.rename(tree)
    except OSError:
        if not tree.exists():  # otherwise another process was faster
            raise
