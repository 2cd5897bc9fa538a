"""Deletes the cache: downloaded wheels, compiled wheels, unpacked layers. Later commands make it again."""

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

from tools import cache
from tools.command import OUT, PLAIN, Failure, described, run


def main(arguments: Sequence[str] | None = None, folder: Path | None = None) -> int:
    """Delete the cache folder, and print how much that was."""
    help_of_command = described("clean-cache", __doc__ or "", "hatch run clean-cache")
    argparse.ArgumentParser(**help_of_command).parse_args(arguments)
    folder = folder or cache.CACHE
    size = sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() or path.is_symlink())
    try:
        if folder.exists():
            shutil.rmtree(folder)
    except OSError as error:
        raise Failure(f"{error.filename} cannot be deleted ({error.strerror}): stop what uses it") from None
    OUT.print(f"Deleted {size / 1e6:.0f} MB in {folder}", **PLAIN)
    return 0


if __name__ == "__main__":
    run(main)
