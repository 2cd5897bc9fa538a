"""Where and on what a measurement ran: the machine and the commit."""

import os
import platform
import subprocess
from pathlib import Path

_ROOT = Path(__file__).parents[2]


def machine() -> str:
    """The processor, its cores, the memory and the system, without the host's name."""
    return f"{os.cpu_count()} cores of {_processor()}, {_memory()}{platform.system()} {platform.machine()}"


def commit(root: Path = _ROOT) -> str:
    """The commit that was measured; `-dirty` is appended when tracked files differ from it.

    Changes in docs/ do not count: the bench itself writes there after each part.
    """
    name = _git(root, "describe", "--always", "--exclude=*", "--abbrev=12")
    changed = name and _git(root, "diff", "--name-only", "HEAD", "--", ":!docs")
    return f"{name}-dirty" if changed else name or "unknown"


def _git(root: Path, *words: str) -> str:
    """The output of a git command; empty if it fails."""
    try:
        ran = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return ran.stdout.strip()


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    lines = information.read_text("utf-8", "replace").splitlines() if information.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(filter(None, names), platform.processor() or "an unnamed processor")


def _memory() -> str:
    try:
        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # not a POSIX system
        return ""
    return f"{size / 2**30:.0f} GB, "
