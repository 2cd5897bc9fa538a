"""The wheels that locks name: downloaded for the target, and kept in a cache by their hash."""

import hashlib
import math
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from packaging import tags
from packaging.utils import parse_wheel_filename

import layers
from layers import target
from tools import cache_limit
from tools.cache import CACHE, make_folder
from tools.command import ERR, Failure
from tools.wheels.lock_file import Pin, read_lock
from tools.wheels.pip_errors import NO_MATCH, explain, last_line

_DOWNLOADS = 2
"""Processes of pip at once: more take longer to start than they save on two cores."""

_WORTH_A_PROCESS = 8
"""With fewer wheels, another process of pip takes longer to start than it saves."""

Progress = Callable[[int], None]
"""Called with the number of wheels that have arrived since the last call."""

_REPOSITORY = Path(__file__).parents[2]


def fetch(
    *locks: Path,
    architecture: str = layers.ARCHITECTURE,
    cache: Path | None = None,
    progress: Progress = lambda _: None,
) -> list[Path]:
    """The wheels that the locks name, for the target, checked against their hashes; sorted by file name.

    Those not in the cache are downloaded with pip, several at once, by the machine's own pip configuration.
    Each is in a folder named by its SHA-256.

    Raises:
        Failure: a wheel cannot be downloaded, and what to do.
    """
    arriving = iter_wheels(*locks, architecture=architecture, cache=cache, progress=progress)
    return sorted(arriving, key=lambda wheel: wheel.name)


def iter_wheels(
    *locks: Path,
    architecture: str = layers.ARCHITECTURE,
    cache: Path | None = None,
    progress: Progress = lambda _: None,
) -> Generator[Path, None, None]:
    """The same wheels, each as soon as it is there, so that work on it can begin."""
    store, ranks = _store(cache), _ranks(architecture)
    missing = []
    for pin in (pin for lock in locks for pin in read_lock(lock.read_text("utf-8")).values()):
        if wheel := _cached(pin, store, ranks):
            progress(1)
            yield wheel
        else:
            missing.append(pin)
    if missing:
        yield from _download(missing, architecture, store, progress)


def cached_wheels(
    pins: Iterable[Pin], *, architecture: str = layers.ARCHITECTURE, cache: Path | None = None
) -> dict[str, Path]:
    """The wheels of some pins that are in the cache and have their hash, by the distribution's name."""
    store, ranks = _store(cache), _ranks(architecture)
    return {pin.name: wheel for pin in pins if (wheel := _cached(pin, store, ranks))}


def _store(cache: Path | None) -> Path:
    return (cache or CACHE) / "wheels" / layers.RUNTIME


def _ranks(architecture: str) -> dict[tags.Tag, int]:
    return {tag: rank for rank, tag in enumerate(target.tags(tags, architecture))}


def sha256(wheel: Path) -> str:
    """A file's SHA-256, in hex."""
    with wheel.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _cached(pin: Pin, store: Path, ranks: Mapping[tags.Tag, int]) -> Path | None:
    """The pin's best wheel for the target, if it is there and intact; a damaged one is deleted.

    The cache holds the wheels of every architecture; those of pure Python are shared.
    """
    found = {}
    folders = [store / digest for digest in sorted(pin.hashes)]
    for folder in filter(Path.is_dir, folders):  # most of a pin's wheels are for other platforms
        for wheel in folder.glob("*.whl"):
            matching = [ranks[tag] for tag in parse_wheel_filename(wheel.name)[3] if tag in ranks]
            if matching:
                found[wheel] = min(matching)
    for wheel in sorted(found, key=lambda wheel: found[wheel]):
        if sha256(wheel) == wheel.parent.name:
            cache_limit.mark_used(wheel.parent)
            return wheel
        wheel.unlink()
    return None


def _download(missing: Sequence[Pin], architecture: str, store: Path, progress: Progress) -> Iterator[Path]:
    make_folder(store)
    count = min(_DOWNLOADS, math.ceil(len(missing) / _WORTH_A_PROCESS))
    by_work = sorted(missing, key=lambda pin: -len(pin.hashes))  # pip reads of all files of all releases
    parts = [by_work[start::count] for start in range(count)]
    with (
        tempfile.TemporaryDirectory(dir=store, prefix="downloading-", ignore_cleanup_errors=True) as scratch,
        ThreadPoolExecutor(count) as pool,
    ):
        folders = [Path(scratch, str(number)) for number in range(count)]
        running = {
            pool.submit(_pip_download, part, folder, architecture, progress): (part, folder)
            for part, folder in zip(parts, folders, strict=True)
        }
        for done in as_completed(running):
            done.result()
            yield from _keep(*running[done], store)


def _keep(part: Iterable[Pin], target: Path, store: Path) -> list[Path]:
    """Move what pip downloaded to where it is kept; the largest first."""
    downloaded = {sha256(wheel): wheel for wheel in target.glob("*.whl")}
    wheels = []
    for pin in part:
        if not (found := pin.hashes & downloaded.keys()):
            raise Failure(f"pip downloaded no wheel of {pin.name}=={pin.version}: run it again")
        home = store / min(found)
        home.mkdir(exist_ok=True)
        wheels.append(downloaded[home.name].replace(home / downloaded[home.name].name))
    return sorted(wheels, key=lambda wheel: -wheel.stat().st_size)


def _pip_download(part: Sequence[Pin], folder: Path, architecture: str, progress: Progress) -> None:
    """Download a part of the lock; pip resolves nothing, since everything is pinned and hashed."""
    folder.mkdir()
    lock = folder / "requirements.txt"
    lock.write_text("".join(pin.text for pin in part), "utf-8")
    pins = ",".join(f"{pin.name}=={pin.version}" for pin in part)
    code, output = _pip(architecture, pins, lock, progress)
    if code and NO_MATCH.search(output):  # a file name may spell its version in another way: read all of them
        code, output = _pip(architecture, "", lock, progress)
    if code:
        platform = f"manylinux2014_{layers.MACHINES[architecture]}"
        raise Failure(explain(output, platform) or f"pip failed: {last_line(output)}")
    for yanked in re.finditer(r"yanked version: '(\S+)' candidate \(version (\S+)", output):
        ERR.print(
            f"warning: {yanked[1]} {yanked[2]} was yanked from the index: "
            f"move on with `hatch run lock-layers --upgrade {yanked[1]}`",
            markup=False,
            soft_wrap=True,
        )


def _pip(architecture: str, pins: str, lock: Path, progress: Progress) -> tuple[int, str]:
    """Download what the lock names to its folder: pip's exit code and output."""
    program = ["-P", "-m", "tools.wheels.pinned_pip", architecture, pins]
    machine = layers.MACHINES[architecture]
    platform = [f"--platform=manylinux2014_{machine}", f"--python-version={layers.PYTHON}"]
    exactly = ["--no-deps", "--require-hashes", "--only-binary=:all:"]
    quietly = ["--progress-bar=off", "--no-cache-dir", "--disable-pip-version-check"]
    places = [f"--dest={lock.parent}", f"--requirement={lock}"]
    command = [sys.executable, *program, "download", *exactly, *platform, *quietly, *places]
    environment = {"PIP_RETRIES": "2", "PIP_NO_INPUT": "1", **os.environ, "PYTHONUNBUFFERED": "1"}
    environment["PYTHONPATH"] = str(_REPOSITORY)
    output = []
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment, encoding="utf-8"
    ) as pip:
        for line in pip.stdout or ():
            output.append(line)
            progress(bool(re.search(r"(?:Downloading|Processing) .*\.whl(?:\s|$)", line)))
    return pip.returncode, "".join(output)
