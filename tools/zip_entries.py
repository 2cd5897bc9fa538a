"""Entries of a layer's zip, copied without compressing them again.

Standard library only: the target interpreter runs this module too.
"""

import re
import stat
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from struct import unpack
from typing import BinaryIO
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

ROOT = "python/"
"""The folder of a layer's zip that Lambda puts on `sys.path`."""

MOUNTED = "/opt/python/"
"""Where Lambda mounts `ROOT`."""

TIME = (1980, 1, 1, 0, 0, 0)
"""The time of every entry, so that the same lock gives the same bytes."""

_PLAIN = re.compile(r"(?:(?!\.\.?(?:/|\Z))[\w.+-]+(?:/|\Z))+")
"""Most paths: they lead nowhere else on any system, and need no parsing."""

_LEVEL = 6
"""As small as 9, and three times faster."""


@dataclass(frozen=True)
class Entry:
    """A zip entry: its description and its compressed bytes."""

    info: ZipInfo
    compressed: bytes

    @property
    def path(self) -> str:
        """The entry's path in the zip."""
        return self.info.filename

    def read(self) -> bytes:
        """The uncompressed bytes."""
        if self.info.compress_type == ZIP_STORED:
            return self.compressed
        return zlib.decompress(self.compressed, -15)


def read_entries(archive: ZipFile, data: bytes) -> Iterator[Entry]:
    """The entries of an archive without its folders; `data` is the whole archive."""
    for info in archive.infolist():
        if not info.is_dir():
            name, extra = unpack("<HH", data[info.header_offset + 26 : info.header_offset + 30])
            start = info.header_offset + 30 + name + extra
            yield Entry(info, data[start : start + info.compress_size])


def unsafe_reason(info: ZipInfo) -> str | None:
    """Why a member must not be unpacked; None if it is a regular file or folder inside of its archive."""
    if not info.filename:
        return "has no name"
    if not _PLAIN.fullmatch(info.filename):
        for path in (PurePosixPath(info.filename), PureWindowsPath(info.filename)):
            if path.is_absolute() or path.drive or path.root:
                return "has an absolute path"
            if ".." in path.parts:
                return "leads outside its folder"
    kind = stat.S_IFMT(info.external_attr >> 16)
    return "is a link or a device" if kind not in (0, stat.S_IFREG, stat.S_IFDIR) else None


def describe(path: str, *, executable: bool = False) -> ZipInfo:
    """The description of an entry: a regular file with the fixed time."""
    info = ZipInfo(path, TIME)
    info.create_system = 3  # Unix, whatever system builds
    info.external_attr = (0o100755 if executable else 0o100644) << 16
    return info


def compress(path: str, data: bytes, *, executable: bool = False) -> Entry:
    """Compress data into an entry."""
    deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, -15)
    compressed = deflate.compress(data) + deflate.flush()
    info = describe(path, executable=executable)
    info.CRC, info.file_size = zlib.crc32(data), len(data)
    info.compress_type = ZIP_DEFLATED if len(compressed) < len(data) else ZIP_STORED
    compressed = compressed if info.compress_type == ZIP_DEFLATED else data
    info.compress_size = len(compressed)
    return Entry(info, compressed)


def move(entry: Entry, path: str) -> Entry:
    """The same compressed bytes under another path, with the fixed time."""
    info = describe(path, executable=bool(entry.info.external_attr >> 16 & 0o111))
    info.CRC, info.file_size = entry.info.CRC, entry.info.file_size
    info.compress_type, info.compress_size = entry.info.compress_type, entry.info.compress_size
    return Entry(info, entry.compressed)


def write_zip(target: BinaryIO | Path, entries: Iterable[Entry], comment: bytes = b"") -> None:
    """Write a zip of the entries, in their order."""
    with ZipFile(target, "w") as archive:
        for entry in entries:
            _append(archive, entry)
        archive.comment = comment  # setting it makes `close` write the directory


def _append(archive: ZipFile, entry: Entry) -> None:
    # `ZipFile` has no method that writes compressed bytes, so this does what its `writestr` does.
    stream = archive.fp
    assert stream is not None  # noqa: S101 - open for writing
    entry.info.header_offset = stream.tell()
    stream.write(entry.info.FileHeader(zip64=False) + entry.compressed)
    archive.filelist.append(entry.info)
    archive.NameToInfo[entry.info.filename] = entry.info
    archive.start_dir = stream.tell()
