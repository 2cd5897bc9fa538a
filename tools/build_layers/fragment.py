"""Wheels, compiled: run by the target interpreter, which alone writes bytecode that it can use.

Reads lines `<wheel> TAB <fragment>` and answers each with an empty line once the fragment is written. A
fragment is a zip of everything that the wheel puts under `python/`, with its bytecode, ready to be copied
into a layer without being compressed again. It depends on nothing but the wheel and the interpreter.

Imports the standard library only; the builder imports it too, for `append`.
"""

import base64
import csv
import hashlib
import importlib.util
import io
import marshal
import re
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from struct import unpack
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

ROOT = "python/"
MOUNTED = "/opt/python/"
"""Where Lambda mounts what stands under `ROOT` of a layer."""

SCRIPTS = "bin/"
"""Where `pip install --target` puts programs; nothing imports them."""

TIME = (1980, 1, 1, 0, 0, 0)
"""Every entry's, so that the same lock gives the same bytes."""

LEVEL = 6
"""As small as 9, and three times faster."""

UNCHECKED_HASH = 0b01
"""The flag field of a .pyc that is used without a look at its source (PEP 552)."""


@dataclass(frozen=True)
class Entry:
    """A zip entry as it is stored: described, and compressed."""

    info: ZipInfo
    compressed: bytes


def append(archive: ZipFile, entry: Entry) -> None:
    """Write an entry that is compressed already; `finish` must follow the last."""
    stream = archive.fp
    assert stream is not None  # noqa: S101 - open for writing
    entry.info.header_offset = stream.tell()
    stream.write(entry.info.FileHeader(zip64=False) + entry.compressed)
    archive.filelist.append(entry.info)
    archive.NameToInfo[entry.info.filename] = entry.info
    archive.start_dir = stream.tell()


def finish(archive: ZipFile) -> None:
    """Have `close` write the directory: it does for an archive whose comment was set."""
    archive.comment = b""


def entries(archive: ZipFile, data: bytes) -> Iterator[Entry]:
    """The entries of an archive and their stored bytes; `data` is the whole archive."""
    for info in archive.infolist():
        if not info.is_dir():
            name, extra = unpack("<HH", data[info.header_offset + 26 : info.header_offset + 30])
            start = info.header_offset + 30 + name + extra
            yield Entry(info, data[start : start + info.compress_size])


def described(path: str, *, executable: bool = False) -> ZipInfo:
    """The one way in which an entry of a layer is described."""
    info = ZipInfo(path, TIME)
    info.create_system = 3  # Unix, whatever system builds
    info.external_attr = (0o100755 if executable else 0o100644) << 16
    return info


def packed(path: str, data: bytes, *, executable: bool = False) -> Entry:
    """Compress data into an entry."""
    deflate = zlib.compressobj(LEVEL, zlib.DEFLATED, -15)
    compressed = deflate.compress(data) + deflate.flush()
    info = described(path, executable=executable)
    info.CRC, info.file_size = zlib.crc32(data), len(data)
    info.compress_type = ZIP_DEFLATED if len(compressed) < len(data) else ZIP_STORED
    compressed = compressed if info.compress_type == ZIP_DEFLATED else data
    info.compress_size = len(compressed)
    return Entry(info, compressed)


def unpacked(entry: Entry) -> bytes:
    """What an entry holds."""
    if entry.info.compress_type == ZIP_STORED:
        return entry.compressed
    return zlib.decompress(entry.compressed, -15)


def _moved(entry: Entry, path: str) -> Entry:
    """The wheel's entry under another path, its bytes as they were compressed by whoever made the wheel."""
    info = described(path, executable=bool(entry.info.external_attr >> 16 & 0o111))
    info.CRC, info.file_size = entry.info.CRC, entry.info.file_size
    info.compress_type, info.compress_size = entry.info.compress_type, entry.info.compress_size
    return Entry(info, entry.compressed)


def installed(path: str) -> str:
    """Where a wheel's file goes under `ROOT`, as `pip install --target` has it."""
    match = re.fullmatch(r"([^/]+)-[^/]+\.data/(purelib|platlib|data|scripts|headers)/(.+)", path)
    folders = {"scripts": SCRIPTS, "headers": f"include/{match[1]}/"} if match else {}
    return folders.get(match[2], "") + match[3] if match else path


def bytecode(path: str, source: bytes) -> bytes | None:
    """An unchecked-hash .pyc of a source at its place on Lambda; None for a file that is not valid Python.

    Wheels may carry such files, as templates or for other Pythons; pip skips them too.
    """
    try:
        code = compile(source, MOUNTED + path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return None
    flags = UNCHECKED_HASH.to_bytes(4, "little")
    return importlib.util.MAGIC_NUMBER + flags + importlib.util.source_hash(source) + marshal.dumps(code)


def is_module(path: str) -> bool:
    """Whether a path is a source that may be imported."""
    return path.endswith(".py") and not path.startswith(SCRIPTS)


def cached(path: str) -> str:
    """Where the interpreter looks for a source's bytecode."""
    folder, _, name = path.rpartition("/")
    tag = sys.implementation.cache_tag
    return f"{folder}/__pycache__/{name[:-3]}.{tag}.pyc".lstrip("/")


def _row(path: str, data: bytes) -> list[str]:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return [path, f"sha256={digest}", str(len(data))]


def fragment(data: bytes) -> list[Entry]:
    """Everything that a wheel installs, and its bytecode, sorted, with the RECORD of just that."""
    with ZipFile(io.BytesIO(data)) as wheel:
        stored = {installed(entry.info.filename): entry for entry in entries(wheel, data)}
        record = next(path for path in stored if re.fullmatch(r"[^/]+\.dist-info/RECORD", path))
        rows = {
            installed(row[0]): row[1:] for row in csv.reader(wheel.read(record).decode().splitlines()) if row
        }
        parts = {path: _moved(entry, ROOT + path) for path, entry in stored.items()}
        for path in sorted(filter(is_module, stored)):
            if (compiled := bytecode(path, wheel.read(stored[path].info))) is not None:
                parts[cached(path)] = packed(ROOT + cached(path), compiled)
                rows[cached(path)] = _row(cached(path), compiled)[1:]
        for path in [path for path in stored if path.startswith(SCRIPTS)]:
            script = _shebang(wheel.read(stored[path].info))
            parts[path] = packed(ROOT + path, script, executable=True)
            rows[path] = _row(path, script)[1:]
    for signature in (".jws", ".p7s"):  # of the wheel's own RECORD, which this one is not
        parts.pop(record + signature, None)
        rows.pop(record + signature, None)
    rows[record] = ["", ""]
    parts[record] = packed(ROOT + record, record_text(rows).encode())
    return [parts[path] for path in sorted(parts)]


def record_text(rows: dict[str, list[str]]) -> str:
    """A RECORD of the rows, by path."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([path, *rows[path]] for path in sorted(rows))
    return text.getvalue()


def _shebang(script: bytes) -> bytes:
    return re.sub(rb"\A#!pythonw?(?=\s)", b"#!/var/lang/bin/python3", script)


def write(wheel: str, target: str) -> None:
    """Write the fragment of a wheel."""
    with ZipFile(target, "w") as archive:
        for entry in fragment(Path(wheel).read_bytes()):
            append(archive, entry)
        finish(archive)


if __name__ == "__main__":
    for line in sys.stdin:
        write(*line.rstrip("\n").split("\t"))
        print(flush=True)
