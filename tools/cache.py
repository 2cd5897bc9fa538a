"""The cache folder, and writing files atomically."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import platformdirs

from tools.command import Failure


def _user_folder(folder: Callable[..., str]) -> Path:
    try:
        return Path(folder("strands-langfuse-lambda", appauthor=False))
    except RuntimeError:  # the user has no home folder: `make_folder` reports a relative path
        return Path("~")


CACHE = _user_folder(platformdirs.user_cache_dir)
"""May be deleted at any time: missing files are made again."""

STATE = _user_folder(platformdirs.user_state_dir)
"""What must not be shared or restored with the cache."""

_PRIVATE = 0o700
_REMEDY = "make it writable, or set XDG_CACHE_HOME to a folder that is"


def make_folder(path: Path) -> None:
    """Create a folder; the cache folder itself is only for its user, since what is in it is run.

    Raises:
        Failure: it cannot be created, and what to do.
    """
    if not path.is_absolute():  # the home folder is unknown, so that a folder named ~ would be created here
        raise Failure(
            f"{path} cannot be created (this user has no home folder): set HOME, or XDG_CACHE_HOME and "
            "XDG_STATE_HOME"
        )
    try:
        if path.is_relative_to(CACHE):
            CACHE.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
            if os.name == "posix" and CACHE.stat().st_mode & 0o077:
                CACHE.chmod(_PRIVATE)
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        where = error.filename or path
        raise Failure(f"{where} cannot be created ({os.strerror(error.errno or 0)}): {_REMEDY}") from None


def read(path: Path) -> bytes | None:
    """A file's bytes; None if there is none."""
    try:
        return path.read_bytes()
    except OSError:
        return None


def write(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write a file atomically: an interrupted write leaves no partial file."""
    make_folder(path.parent)
    handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "wb") as opened:
            opened.write(data)
        Path(scratch).chmod(mode)
        Path(scratch).replace(path)
    except BaseException:
        Path(scratch).unlink()
        raise
