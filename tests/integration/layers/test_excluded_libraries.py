"""Shared libraries that `exclude.txt` leaves out."""

import struct
from zipfile import ZipFile

import pytest

from tools.build_layers.building.build import build
from tools.command import Failure

_HEADERS = 64 + 2 * 56
"""Bytes of the ELF header and of two program headers."""


def library(*needed):
    """A minimal ELF for x86-64 that the dynamic linker loads together with others (the ELF-64 format)."""
    names = b"\0" + b"".join(name.encode() + b"\0" for name in needed)
    starts = [names.index(name.encode() + b"\0") for name in needed]
    strings = _HEADERS + 16 * (len(needed) + 3)
    tags = [
        *((1, start) for start in starts),
        (5, strings),
        (10, len(names)),
        (0, 0),
    ]  # NEEDED, STRTAB, STRSZ
    dynamic = b"".join(struct.pack("<QQ", *tag) for tag in tags)
    size = strings + len(names)
    header = b"\x7fELF\x02\x01\x01" + bytes(9)
    header += struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, 2, 64, 0, 0)
    load = struct.pack("<IIQQQQQQ", 1, 4, 0, 0, 0, size, size, 4096)
    segment = struct.pack("<IIQQQQQQ", 2, 4, _HEADERS, _HEADERS, _HEADERS, len(dynamic), len(dynamic), 8)
    return header + load + segment + dynamic + names


@pytest.fixture
def build_excluding(index, make_stack, tmp_path):
    """Builds a layer of one wheel without the paths that match the patterns; gives the paths in the zip."""
    files = {
        "native/__init__.py": "",
        "native/core.cpython-313-x86_64-linux-gnu.so": library("libc.so.6", "libcore.so.2"),
        "native/flight.cpython-313-x86_64-linux-gnu.so": library("libflight.so.2"),
        "native/libcore.so.2": library("libc.so.6"),
        "native/libflight.so.2": library("libcore.so.2"),
        "native/broken.so": b"\x7fELF, not a library",
        "native/names.so": library("name").replace(b"name", b"\xff"),
        "native/strings.so": library("name")[:-6],
        "other/libflight.so": library(),
    }
    index.add("native", "1.0", tag="cp313-cp313-manylinux2014_x86_64", files=files)
    (layer,) = make_stack(strands="native>=1.0")
    layer.lock.write_text(index.pin("native", "1.0"))

    def make(*patterns):
        (layer.directory / "exclude.txt").write_text("\n".join(patterns) + "\n")
        build([layer], store=tmp_path / "store")
        with ZipFile(layer.zip) as archive:
            return archive.namelist()

    return make


@pytest.mark.parametrize(
    ("pattern", "left_out", "binary"),
    [
        ("native/libcore*", "native/libcore.so.2", "native/core.cpython-313-x86_64-linux-gnu.so"),
        ("native/libflight*", "native/libflight.so.2", "native/flight.cpython-313-x86_64-linux-gnu.so"),
    ],
)
def test_a_library_that_another_binary_needs_is_not_left_out(build_excluding, pattern, left_out, binary):
    with pytest.raises(Failure) as failure:
        build_excluding(pattern)
    assert str(failure.value) == (
        f"layers/strands/exclude.txt: {left_out} is needed by {binary}: keep the library, or exclude both"
    )


def test_a_library_is_left_out_together_with_what_needs_it(build_excluding):
    paths = build_excluding("native/*flight*")
    assert not [path for path in paths if path.startswith("python/native/") and "flight" in path]
    assert "python/native/libcore.so.2" in paths


def test_a_library_that_no_binary_needs_is_left_out(build_excluding):
    assert "python/other/libflight.so" not in build_excluding("other/*")
