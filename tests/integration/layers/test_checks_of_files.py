"""The checks of records, licences, machine code and bytecode report each single fault."""

import os
import struct

import pytest

from tests.integration.layers.candidates import COMPILED, contents, find, metadata_of, reported

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the layers' machine code needs Linux")


def test_record_reports_one_changed_byte(changed, real):
    data = bytearray(contents(real, "backoff/_jitter.py"))
    data[-2] ^= 1
    said = reported("record", changed("langfuse", {"backoff/_jitter.py": bytes(data)}))
    assert said == ["langfuse: backoff/_jitter.py is not the file of its RECORD (its hash differs)"]


def test_record_reports_one_missing_file(changed, real):
    _, path = find(real, "entry_points.txt")
    said = reported("record", changed(find(real, "entry_points.txt")[0], {path: None}))
    assert len(said) == 1
    assert said[0].endswith(f": {path} is in a RECORD and not in the layer")


def test_record_reports_one_file_that_no_distribution_owns(changed):
    assert reported("record", changed("langfuse", {"mine.py": b""})) == ["langfuse: mine.py is in no RECORD"]


def test_licences_reports_a_distribution_without_metadata(changed, real):
    path = metadata_of(real, "backoff")
    said = reported("licences", changed("langfuse", {path: None}))
    assert said == [f"langfuse: {path.removesuffix('/METADATA')} has no METADATA"]


def test_licences_reports_a_distribution_that_names_none(changed, real):
    bare = b"Metadata-Version: 2.1\nName: backoff\nVersion: 2.2.1\n"
    texts = {
        path: None for path in real.layers[1].files if path.startswith("backoff-") and "LICEN" in path.upper()
    }
    said = reported("licences", changed("langfuse", {metadata_of(real, "backoff"): bare, **texts}))
    assert said == ["langfuse: backoff names no licence and contains no text of one"]


# machine, glibc


def test_machine_reports_an_elf_for_another_processor(changed, real):
    layer, path = find(real, ".so")
    data = bytearray(contents(real, path))
    struct.pack_into("<H", data, 18, 183)  # e_machine: AArch64
    said = reported("machine", changed(layer, {path: bytes(data)}))
    assert said == [f"{layer}: {path} is EM_AARCH64, not an ELF for x86_64"]


def test_machine_reports_a_binary_of_another_system(changed, real):
    layer, path = find(real, ".so")
    said = reported("machine", changed(layer, {path: b"\xcf\xfa\xed\xfe" + contents(real, path)[4:]}))
    assert said == [f"{layer}: {path} is of another system, not an ELF for x86_64"]


def test_machine_reports_an_extension_for_another_python(changed, real):
    layer, path = find(real, ".cpython-313-x86_64-linux-gnu.so")
    other = path.replace("cpython-313", "cpython-312")
    said = reported("machine", changed(layer, {other: contents(real, path)}))
    assert said == [f"{layer}: {other} is an extension for cpython-312, which python3.13 does not load"]


def test_glibc_reports_a_symbol_newer_than_manylinux2014(changed, real):
    for layer in real.layers:
        for path in layer.files:
            if path.endswith(".so") and b"GLIBC_2.17\0" in (data := layer.files[path]):
                newer = data.replace(b"GLIBC_2.17\0", b"GLIBC_2.18\0")
                said = reported("glibc", changed(layer.name, {path: newer}))
                assert said == [f"{layer.name}: {path} needs GLIBC_2.18, and manylinux2014 allows 2.17"]
                return
    pytest.fail("no binary to change")


# bytecode


def test_bytecode_reports_a_module_without_it(changed):
    said = reported("bytecode", changed("langfuse", {COMPILED: None}))
    assert said == ["langfuse: backoff/_jitter.py has no bytecode, so it is compiled at every cold start"]


def test_bytecode_reports_bytecode_of_another_python(changed, real):
    other = struct.pack("<H", 3495) + contents(real, COMPILED)[2:]  # 3.11's magic
    said = reported("bytecode", changed("langfuse", {COMPILED: other}))
    assert said == ["langfuse: backoff/_jitter.py has bytecode of another Python"]


def test_bytecode_reports_bytecode_that_is_checked_against_its_source(changed, real):
    checked = contents(real, COMPILED)[:4] + b"\0\0\0\0" + contents(real, COMPILED)[8:]
    said = reported("bytecode", changed("langfuse", {COMPILED: checked}))
    assert said == [
        "langfuse: backoff/_jitter.py has bytecode that is only used if its source looks unchanged"
    ]


def test_bytecode_reports_stale_bytecode(changed, real):
    said = reported(
        "bytecode", changed("langfuse", {"backoff/_jitter.py": contents(real, "backoff/_jitter.py") + b"\n"})
    )
    assert said == ["langfuse: backoff/_jitter.py has stale bytecode, compiled from another source"]


def test_bytecode_reports_bytecode_of_another_path(changed, real):
    elsewhere = contents(real, COMPILED).replace(
        b"/opt/python/backoff/_jitter.py", b"/tmp/python/backoff/_jitter.py"
    )
    said = reported("bytecode", changed("langfuse", {COMPILED: elsewhere}))
    assert said == [
        "langfuse: backoff/_jitter.py has bytecode that names another path: /tmp/python/backoff/_jitter.py"
    ]


def test_bytecode_reports_bytecode_that_no_module_uses(changed, real):
    stray = "backoff/__pycache__/_jitter.cpython-311.pyc"
    said = reported("bytecode", changed("langfuse", {stray: contents(real, COMPILED)}))
    assert said == [f"langfuse: {stray} is bytecode that no module of this Python uses"]


# clients, size, imports
