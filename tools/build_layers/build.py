"""From locks to zips: fetch the wheels, compile each as it comes, merge the fragments of each layer."""

import contextlib
import errno
import hashlib
import io
import json
import os
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.parser import BytesHeaderParser
from pathlib import Path
from queue import SimpleQueue
from typing import Any
from zipfile import BadZipFile, ZipFile

from filelock import FileLock

import layers
from layers import Layer
from tools import cache, interpreter, wheels
from tools.build_layers import fragment, slim
from tools.build_layers.fragment import Entry
from tools.build_layers.progress import Progress, Silent
from tools.command import Failure

_COMPILER = Path(fragment.__file__)
_DIGEST_BYTES = hashlib.sha256().digest_size


@dataclass(frozen=True)
class Fragment:
    """A wheel as it will stand in a layer."""

    wheel: Path
    entries: tuple[Entry, ...]

    def distribution(self) -> dict[str, str]:
        """What the manifest says of it."""
        metadata = BytesHeaderParser().parsebytes(self._read(".dist-info/METADATA"))
        return {
            "name": metadata["Name"],
            "version": metadata["Version"],
            "licence": licence(metadata),
            "wheel": self.wheel.name,
            "sha256": self.wheel.parent.name,
        }

    def _read(self, ending: str) -> bytes:
        found = next(entry for entry in self.entries if entry.info.filename.endswith(ending))
        return fragment.unpacked(found)


def licence(metadata: Any) -> str:
    """The licence as the metadata names it; the whole text that some put there is no name."""
    named = metadata["License-Expression"] or metadata["License"] or ""
    classified = [
        line.rpartition(" :: ")[2] for line in metadata.get_all("Classifier", []) if "License" in line
    ]
    short = named if "\n" not in named and named.upper() != "UNKNOWN" else ""
    return short or ", ".join(classified)


def build(
    stack: Sequence[Layer] = layers.LAYERS, *, store: Path = cache.CACHE, progress: Progress | None = None
) -> list[Layer]:
    """Build those of the layers that are not what their locks give; says which.

    Interrupted at any moment it leaves whole files only. Two builds at once wait for one another.

    Raises:
        Failure: what could not be done, and the remedy.
    """
    with _explained(store):
        if not any(layers.unbuilt(layer) for layer in stack):
            return []
        with _alone(stack[0]):
            stale = [layer for layer in stack if layers.unbuilt(layer)]
            if stale:
                _build(stale, store, progress or Silent())
            return stale


def _build(stale: Sequence[Layer], store: Path, progress: Progress) -> None:
    locks = [layer.lock for layer in stale]
    pins = [wheels.pins(lock.read_text("utf-8")).values() for lock in locks]
    progress.begin("Building", 2 * sum(map(len, pins)))
    with contextlib.closing(wheels.arriving(*locks, cache=store, progress=progress.advance)) as arriving:
        fragments = compile_all(arriving, store, progress)
    for layer, wanted in zip(stale, pins, strict=True):
        hashes = {sha256 for pin in wanted for sha256 in pin.hashes}
        _write(layer, [part for part in fragments if part.wheel.parent.name in hashes])


def _write(layer: Layer, parts: Sequence[Fragment]) -> None:
    chosen = [slim.keep(part.entries, layer.services) for part in parts]
    data = merge([entry for entries in chosen for entry in entries])
    manifest = {
        "name": layer.name,
        "python": layers.PYTHON,
        "platform": layers.PLATFORM,
        "inputs": layer.digest(),
        "digest": hashlib.sha256(data).hexdigest(),
        "bytes_zipped": len(data),
        "bytes_unzipped": sum(entry.info.file_size for entries in chosen for entry in entries),
        "botocore_services": layer.services or "all",
        "distributions": sorted(
            (part.distribution() for part in parts), key=lambda found: found["name"].lower()
        ),
    }
    cache.write(layer.zip, data)
    cache.write(layer.manifest, json.dumps(manifest, indent=1).encode())


def merge(entries: Sequence[Entry]) -> bytes:
    """A zip of the entries, sorted by path, copied as they are compressed.

    Raises:
        Failure: two wheels bring the same path.
    """
    for path, count in Counter(entry.info.filename for entry in entries).most_common(1):
        if count > 1:
            raise Failure(f"two wheels both bring {path}: a layer cannot hold both")
    buffer = io.BytesIO()
    with ZipFile(buffer, "w") as archive:
        for entry in sorted(entries, key=lambda entry: entry.info.filename):
            fragment.append(archive, entry)
        fragment.finish(archive)
    return buffer.getvalue()


def compile_all(arriving: Iterable[Path], store: Path, progress: Progress) -> list[Fragment]:
    """The wheels' fragments, from the cache or compiled on all cores, each as soon as its wheel is there."""
    with compilers(os.cpu_count() or 1) as compiled, ThreadPoolExecutor(os.cpu_count()) as pool:
        folder = pool.submit(_fragments, store)  # takes a while, and the wheels do, too

        def one(wheel: Path) -> Fragment:
            kept = folder.result() / wheel.parent.name
            data = _sound(cache.read(kept))
            if data is None:
                data = compiled(wheel)
                cache.write(kept, hashlib.sha256(data).digest() + data)
            progress.advance()
            return _fragment(wheel, data)

        return list(pool.map(one, arriving))


def _fragments(store: Path) -> Path:
    """Where the fragments are kept that this compiler and the target interpreter make."""
    key = _COMPILER.read_bytes() + interpreter.build(interpreter.target()).encode()
    return store / "fragments" / hashlib.sha256(key).hexdigest()[:16]


def _fragment(wheel: Path, data: bytes) -> Fragment:
    with ZipFile(io.BytesIO(data)) as archive:
        return Fragment(wheel, tuple(fragment.entries(archive, data)))


def _sound(kept: bytes | None) -> bytes | None:
    """A cached fragment without the digest it starts with, unless it has suffered."""
    if kept and hashlib.sha256(kept[_DIGEST_BYTES:]).digest() == kept[:_DIGEST_BYTES]:
        return kept[_DIGEST_BYTES:]
    return None


@contextlib.contextmanager
def compilers(count: int) -> Iterator[Callable[[Path], bytes]]:
    """Gives what has a wheel compiled to its fragment, from any thread; runs up to so many compilers."""
    idle: SimpleQueue[subprocess.Popen[str] | None] = SimpleQueue()
    for _ in range(count):
        idle.put(None)
    with tempfile.TemporaryDirectory() as scratch, contextlib.ExitStack() as running:

        def compiled(wheel: Path) -> bytes:
            compiler, target = idle.get(), Path(scratch, wheel.parent.name)
            try:
                compiler = compiler or running.enter_context(_compiler())
                _ask(compiler, wheel, target)
            finally:
                idle.put(compiler)
            return target.read_bytes()

        yield compiled


def _compiler() -> subprocess.Popen[str]:
    python, pipe = interpreter.target(), subprocess.PIPE
    return subprocess.Popen([python, "-I", _COMPILER], stdin=pipe, stdout=pipe, stderr=pipe, encoding="utf-8")


def _ask(compiler: subprocess.Popen[str], wheel: Path, target: Path) -> None:
    assert compiler.stdin and compiler.stdout and compiler.stderr  # noqa: S101, PT018 - all are pipes
    answer = ""
    with contextlib.suppress(BrokenPipeError):
        print(wheel, target, sep="\t", file=compiler.stdin, flush=True)
        answer = compiler.stdout.readline()
    if not answer:
        complaint = compiler.stderr.read()
        unknown = f"{wheel.name} cannot be compiled: {wheels.last_line(complaint)}"
        raise Failure(wheels.explain(complaint) or unknown)


@contextlib.contextmanager
def _alone(layer: Layer) -> Iterator[None]:
    layer.zip.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(layer.zip.parent / ".lock"):
        yield


@contextlib.contextmanager
def _explained(store: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS):
            raise
        where = error.filename or store
        raise Failure(
            f"{os.strerror(error.errno)}: {where}: make room or grant access, then run it again"
        ) from None
    except BadZipFile as error:
        raise Failure(f"a wheel is not a zip ({error}): delete {store} and run it again") from None
