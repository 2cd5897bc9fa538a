"""Limits the size of the cache folder: the entries that were used least recently are deleted."""

import contextlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.cache import CACHE, read, write

try:
    import fcntl
except ImportError:  # Windows, which does not rename or delete a folder with open files
    fcntl = None  # type: ignore[assignment]

LIMIT_BYTES = 1_000_000_000

_TREES = "layer-trees"
"""Deleted first: to unpack a layer again takes a second, and needs no network."""

PARTS = "layer-parts"
"""Unpacked parts of layers, for the checks; deleted first, too."""

_DEPTHS = {"wheels": 2, "compiled": 2, "checked": 2, _TREES: 1, PARTS: 1, "runtime": 1}
"""How many levels below a folder of the cache its entries are; any other folder is one entry."""

_UNPACKED = (_TREES, PARTS)
_SIZES = ".sizes.json"
"""The sizes of unpacked files, which do not change: counting ten thousand files takes most of a second."""

_RECENT_S = 1800
"""Another command may still read what was used so recently."""

_DELETED = ".deleted-"
_held: list[int] = []


@dataclass(frozen=True)
class _Entry:
    group: str
    path: Path
    used: float
    size: int

    def may_be_read(self, now: float) -> bool:
        """Whether another command may be reading it; a process holds the layer trees that it uses."""
        return self.group != _TREES and self.used > now - _RECENT_S


def mark_used(path: Path) -> None:
    """Record that an entry is used now."""
    with contextlib.suppress(OSError):
        os.utime(path)


def hold(folder: Path) -> bool:
    """Keep a folder of the cache until this process ends; False if another process has just deleted it."""
    mark_used(folder)
    with contextlib.suppress(OSError):
        if fcntl:
            handle = os.open(folder, os.O_RDONLY)
            fcntl.flock(handle, fcntl.LOCK_SH)  # waits until a deletion that has begun is done
            _held.append(handle)
            # Another process may have made the folder again meanwhile; the lock is on the deleted one.
            return os.path.samestat(os.fstat(handle), folder.stat())
    return folder.exists()


def trim(folder: Path = CACHE, *, limit: int = LIMIT_BYTES, now: float | None = None) -> int:
    """Delete entries until the folder has at most `limit` bytes; returns how many bytes were deleted.

    Unpacked layers are deleted first, then the others, each the least recently used first. Layers that a
    running process holds and other entries that were used in the last half hour are kept.
    """
    entries = sorted(_entries(folder), key=lambda entry: (entry.group not in _UNPACKED, entry.used))
    excess = sum(entry.size for entry in entries) - limit
    deleted = 0
    for entry in entries:
        if deleted >= excess:
            break
        if not entry.may_be_read(now or time.time()) and _delete(entry.path):
            deleted += entry.size
    return deleted


def _entries(folder: Path) -> list[_Entry]:
    known = _read_sizes(folder)
    entries = list(_listed(folder, known))
    sizes = {_identity(entry.path): entry.size for entry in entries if entry.group in _UNPACKED}
    if sizes != known:
        write(folder / _SIZES, json.dumps(sizes).encode())
    return entries


def _read_sizes(folder: Path) -> dict[str, int]:
    try:
        return dict(json.loads(read(folder / _SIZES) or b"{}"))
    except ValueError:
        return {}


def _identity(path: Path) -> str:
    """Names a folder; another folder in the same place gets another name."""
    with contextlib.suppress(OSError):
        return f"{path.name} {path.lstat().st_ino}"
    return path.name


def _listed(folder: Path, known: Mapping[str, int]) -> Iterator[_Entry]:
    for group in _folders(folder):
        paths = [group]
        for _ in range(_DEPTHS.get(group.name, 0)):
            paths = [child for path in paths if path.is_dir() for child in path.iterdir()]
        for path in paths:
            if path.name.startswith(_DELETED):  # an earlier deletion was interrupted
                yield _Entry(group.name, path, 0, _size(path)[0])
            elif not path.name.startswith("."):
                kept = known.get(_identity(path)) if group.name in _UNPACKED else None
                size, newest = (kept, 0.0) if kept is not None else _size(path)
                used = path.lstat().st_mtime if group.name in _DEPTHS else newest
                yield _Entry(group.name, path, used, size)


def _folders(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []


def _size(path: Path) -> tuple[int, float]:
    """An entry's bytes, and the time of its newest file."""
    if path.is_file():
        stat = path.stat()
        return stat.st_size, stat.st_mtime
    size, newest, folders = 0, 0.0, [str(path)]
    while folders:
        with contextlib.suppress(OSError), os.scandir(folders.pop()) as found:  # deleted since it was listed
            for file in found:
                if file.is_dir(follow_symlinks=False):
                    folders.append(file.path)
                else:
                    stat = file.stat(follow_symlinks=False)
                    size, newest = size + stat.st_size, max(newest, stat.st_mtime)
    return size, newest


def _delete(path: Path) -> bool:
    """Delete an entry at once for all other processes; False if one of them holds it."""
    hidden = path if path.name.startswith(_DELETED) else path.with_name(f"{_DELETED}{path.name}")
    try:
        with _exclusive(path):
            path.rename(hidden)
    except OSError:  # held by a process, or open on Windows
        return False
    if hidden.is_dir():
        shutil.rmtree(hidden, ignore_errors=True)
    else:
        hidden.unlink(missing_ok=True)
    return True


@contextlib.contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    """Hold an entry alone.

    Raises:
        OSError: another process holds it.
    """
    if not fcntl or not path.is_dir():
        yield
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(handle)
