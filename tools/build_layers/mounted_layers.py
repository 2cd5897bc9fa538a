"""Layers as Lambda mounts them at /opt, made of links: only what no layer contained before is unpacked."""

import itertools
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from tools import cache, cache_limit
from tools.build_layers.layer_tree import publish
from tools.build_layers.parts import Part
from tools.cache import CACHE
from tools.zip_entries import Entry


@contextmanager
def mounted(layers: Iterable[Iterable[Part]], *, store: Path = CACHE) -> Iterator[Path]:
    """A temporary folder with the union of the layers; do not write to it. The last layer's file is used."""
    folder = store / cache_limit.PARTS
    cache.make_folder(folder)
    parts = list(itertools.chain.from_iterable(layers))
    with ThreadPoolExecutor() as pool:
        trees = list(pool.map(lambda part: _unpacked(part, folder), parts))
    with tempfile.TemporaryDirectory(dir=folder, prefix=".") as scratch:
        _unite(trees, Path(scratch, "opt"))
        yield Path(scratch, "opt")
    cache_limit.trim(store)


def _unpacked(part: Part, folder: Path) -> Path:
    tree = folder / part.digest[:32]
    cache_limit.mark_used(tree)
    if not tree.exists():
        with tempfile.TemporaryDirectory(dir=folder, prefix=".", ignore_cleanup_errors=True) as scratch:
            _write(part.entries, Path(scratch, "part"))
            publish(Path(scratch, "part"), tree)
    return tree


def _write(entries: Sequence[Entry], target: Path) -> None:
    folders: set[Path] = set()
    for entry in entries:
        place = target / entry.path
        if place.parent not in folders:
            place.parent.mkdir(parents=True, exist_ok=True)
            folders.add(place.parent)
        place.write_bytes(entry.read())


def _unite(trees: Sequence[Path], target: Path) -> None:
    """Link what one tree has, merge the folders that several have."""
    target.mkdir()
    found: dict[str, list[Path]] = {}
    for place in itertools.chain.from_iterable(sorted(tree.iterdir()) for tree in trees):
        found.setdefault(place.name, []).append(place)
    for name, places in found.items():
        if len(places) > 1 and all(place.is_dir() for place in places):
            _unite(places, target / name)
        else:
            (target / name).symlink_to(places[-1])
