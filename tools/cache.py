"""The cache folder, and writing files atomically."""

import os
import tempfile
from pathlib import Path

import platformdirs

CACHE = Path(platformdirs.user_cache_dir("strands-langfuse-lambda", appauthor=False))
"""May be deleted at any time: missing files are made again."""


def read(path: Path) -> bytes | None:
    """A file's bytes; None if there is none."""
    try:
        return path.read_bytes()
    except OSError:
        return None


def write(path: Path, data: bytes) -> None:
    """Write a file atomically: an interrupted write leaves no partial file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "wb") as opened:
            opened.write(data)
        Path(scratch).chmod(0o644)
        Path(scratch).replace(path)
    except BaseException:
        Path(scratch).unlink()
        raise
