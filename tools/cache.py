"""What is kept between runs, and how a file is written whole or not at all."""

import os
import tempfile
from pathlib import Path

import platformdirs

CACHE = Path(platformdirs.user_cache_dir("strands-langfuse-lambda", appauthor=False))
"""May be deleted at any time: what is missing comes back by itself."""


def read(path: Path) -> bytes | None:
    """A file's bytes; None if there is none."""
    try:
        return path.read_bytes()
    except OSError:
        return None


def write(path: Path, data: bytes) -> None:
    """Write a file at once: who reads it, or is interrupted writing it, never leaves half of it."""
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
