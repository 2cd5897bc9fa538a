"""Locks, and the wheels they name: read, downloaded for the target, kept in a cache by their hash."""

import hashlib
import math
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import layers
from tools.cache import CACHE
from tools.command import ERR, Failure

_DOWNLOADS = 2
"""Processes of pip at once: more take longer to start than they save on two cores."""

_PINNED_PIP = Path(__file__).with_name("pinned_pip.py")

_WORTH_A_PROCESS = 8
"""Wheels, below which another process of pip takes longer to start than it saves."""

Progress = Callable[[int], None]
"""Told how many more wheels have come."""


@dataclass(frozen=True)
class Pin:
    """One distribution of a lock: its normalized name, version and the SHA-256 digests it may have."""

    name: str
    version: str
    hashes: frozenset[str]
    text: str
    """As it stands in the lock, comments included."""


def pins(lock: str) -> dict[str, Pin]:
    """Read the text of a lock, by name.

    Raises:
        ValueError: a line is not a pin with hashes.
    """
    return {pin.name: pin for pin in map(_pin, _blocks(lock))}


def _blocks(lock: str) -> Iterator[str]:
    """Split at every line that starts a requirement; what follows it, indented, belongs to it."""
    yield from (block for block in re.split(r"(?m)^(?=\S)", lock) if block.strip())


def _pin(block: str) -> Pin:
    start = re.match(r"([a-z0-9]+(?:-[a-z0-9]+)*)==([^\s;\\]+)\s*\\?\n", block)
    hashes = frozenset(re.findall(r"--hash=sha256:([0-9a-f]{64})", block))
    if not start or not hashes:
        raise ValueError(f"not a pin with hashes: {block.splitlines()[0]}")
    return Pin(start[1], start[2], hashes, block.rstrip() + "\n")


def fetch(*locks: Path, cache: Path | None = None, progress: Progress = lambda _: None) -> list[Path]:
    """The wheels that the locks name, for the target, checked against their hashes; sorted by file name.

    Those not in the cache are downloaded with pip, several at once, by the machine's own pip configuration.
    Each stands in a directory named by its SHA-256.

    Raises:
        Failure: a wheel cannot be had, and what to do.
    """
    return sorted(arriving(*locks, cache=cache, progress=progress), key=lambda wheel: wheel.name)


def arriving(
    *locks: Path, cache: Path | None = None, progress: Progress = lambda _: None
) -> Generator[Path, None, None]:
    """The same wheels, each as soon as it is there, so that work on it may begin."""
    store = (cache or CACHE) / "wheels" / f"{layers.RUNTIME}-{layers.PLATFORM}"
    missing = []
    for pin in (pin for lock in locks for pin in pins(lock.read_text("utf-8")).values()):
        if wheel := _cached(pin, store):
            progress(1)
            yield wheel
        else:
            missing.append(pin)
    if missing:
        yield from _download(missing, store, progress)


def digest(wheel: Path) -> str:
    """A file's SHA-256, in hex."""
    with wheel.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _cached(pin: Pin, store: Path) -> Path | None:
    """The pin's wheel, if it is there and whole; what is not whole goes, to be fetched again."""
    for sha256 in sorted(pin.hashes):
        for wheel in store.joinpath(sha256).glob("*.whl"):
            if digest(wheel) == sha256:
                return wheel
            wheel.unlink()
    return None


def _download(missing: Sequence[Pin], store: Path, progress: Progress) -> Iterator[Path]:
    store.mkdir(parents=True, exist_ok=True)
    count = min(_DOWNLOADS, math.ceil(len(missing) / _WORTH_A_PROCESS))
    by_work = sorted(missing, key=lambda pin: -len(pin.hashes))  # pip reads of all files of all releases
    parts = [by_work[start::count] for start in range(count)]
    with (
        tempfile.TemporaryDirectory(dir=store, prefix="downloading-", ignore_cleanup_errors=True) as scratch,
        ThreadPoolExecutor(count) as pool,
    ):
        targets = [Path(scratch, str(number)) for number in range(count)]
        running = {
            pool.submit(_pip_download, part, target, progress): (part, target)
            for part, target in zip(parts, targets, strict=True)
        }
        for done in as_completed(running):
            done.result()
            yield from _kept(*running[done], store)


def _kept(part: Iterable[Pin], target: Path, store: Path) -> list[Path]:
    """Move what pip brought to where it is kept; the largest first."""
    brought = {digest(wheel): wheel for wheel in target.glob("*.whl")}
    wheels = []
    for pin in part:
        if not (found := pin.hashes & brought.keys()):
            raise Failure(f"pip brought no wheel of {pin.name}=={pin.version}: run it again")
        home = store / min(found)
        home.mkdir(exist_ok=True)
        wheels.append(brought[home.name].replace(home / brought[home.name].name))
    return sorted(wheels, key=lambda wheel: -wheel.stat().st_size)


def _pip_download(part: Sequence[Pin], target: Path, progress: Progress) -> None:
    """Let pip fetch a part of the lock; it resolves nothing, since everything is pinned and hashed."""
    target.mkdir()
    lock = target / "requirements.txt"
    lock.write_text("".join(pin.text for pin in part), "utf-8")
    pinned = ["-P", str(_PINNED_PIP), ",".join(pin.version for pin in part)]
    code, said = _pip(pinned, lock, progress)
    if code and _NONE.search(said):  # a file may spell its version in another way: then look at all of them
        code, said = _pip(["-m", "pip"], lock, progress)
    if code:
        raise Failure(explain(said) or f"pip failed: {last_line(said)}")
    for yanked in re.finditer(r"yanked version: '(\S+)' candidate \(version (\S+)", said):
        ERR.print(
            f"warning: {yanked[1]} {yanked[2]} was yanked from the index: "
            f"move on with `hatch run lock-layers --upgrade {yanked[1]}`",
            markup=False,
            soft_wrap=True,
        )


def _pip(program: Sequence[str], lock: Path, progress: Progress) -> tuple[int, str]:
    """Download what the lock names to beside it: pip's exit code, and what it said."""
    target = [f"--platform={layers.PLATFORM}", f"--python-version={layers.PYTHON}", "--implementation=cp"]
    exactly = ["--no-deps", "--require-hashes", "--only-binary=:all:"]
    quietly = ["--progress-bar=off", "--no-cache-dir", "--disable-pip-version-check"]
    places = [f"--dest={lock.parent}", f"--requirement={lock}"]
    command = [sys.executable, *program, "download", *exactly, *target, *quietly, *places]
    environment = {"PIP_RETRIES": "2", "PIP_NO_INPUT": "1", **os.environ, "PYTHONUNBUFFERED": "1"}
    said = []
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment, encoding="utf-8"
    ) as pip:
        for line in pip.stdout or ():
            said.append(line)
            progress(bool(re.search(r"(?:Downloading|Processing) .*\.whl(?:\s|$)", line)))
    return pip.returncode, "".join(said)


_NONE = re.compile(r"No matching distribution found for (\S+)")
_UNREACHABLE = re.compile(
    r"(ProxyError|SSLError|CERTIFICATE_VERIFY_FAILED|NameResolutionError|name resolution"
    r"|Name or service not known|getaddrinfo failed|Connection refused|Network is unreachable"
    r"|ConnectTimeout|ReadTimeout|timed out|NewConnectionError|Connection aborted|Connection reset)"
)


def explain(said: str) -> str | None:
    """What pip's complaint means, in one line with the remedy; None where it must speak for itself."""
    if wrong := re.search(r"DO NOT MATCH THE HASHES.*?\n\s+(\S+==\S+) from", said, re.DOTALL):
        name = wrong[1].partition("==")[0]
        return (
            f"the index's {wrong[1]} is not the file that was locked (its hash differs): do not use it; "
            f"if its release was replaced in good faith, `hatch run lock-layers --upgrade {name}`"
        )
    if re.search(r"No space left on device|not enough space", said):
        return f"no space left on the disk (the cache is {CACHE}): free some, then run it again"
    if cause := _UNREACHABLE.search(said):
        return (
            f"the package index cannot be reached ({cause[1]}): check the network, and where there is a "
            "proxy HTTPS_PROXY and pip's `cert` setting, then run it again"
        )
    if none := _NONE.search(said):
        return (
            f"the index has no wheel of {none[1]} for CPython {layers.PYTHON} on {layers.PLATFORM}: ask for "
            "a version that has one in requirements.in and run `hatch run lock-layers`"
        )
    return None


def last_line(said: str) -> str:
    """What a program said last, which is most often the reason."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1].removeprefix("ERROR: ") if lines else "it gave no reason"
