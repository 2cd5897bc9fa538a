"""Builds are reproducible and incremental, and survive crashes and damaged caches."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

import layers
from tests.integration.layers.built_layers import bytes_of, forget, violations
from tools.build_layers.building.build import build
from tools.zip_entries import TIME

REPOSITORY = Path(__file__).parents[3]


KILLED = 9


def test_the_same_lock_gives_the_same_bytes(stack, store, empty_store):
    build(stack, store=store)
    first = bytes_of(stack)
    forget(stack)
    build(stack, store=empty_store)
    assert bytes_of(stack) == first


def test_the_entries_of_a_layer_are_sorted_and_have_one_time(stack, store):
    build(stack, store=store)
    with ZipFile(stack[0].zip) as archive:
        names = archive.namelist()
        assert names == sorted(names)
        assert {entry.date_time for entry in archive.infolist()} == {TIME}
        assert "python/agent.py" in names
        assert "python/__pycache__/agent.cpython-313.pyc" in names
        assert archive.testzip() is None


def test_the_manifest_lists_what_is_in_the_layer(stack, store):
    build(stack, store=store)
    manifest = json.loads(stack[0].manifest.read_text())
    assert (manifest["name"], manifest["python"], manifest["platform"]) == (
        "strands",
        "3.13",
        "manylinux2014_x86_64",
    )
    assert manifest["bytes_zipped"] == stack[0].zip.stat().st_size
    with ZipFile(stack[0].zip) as archive:
        assert manifest["bytes_unzipped"] == sum(entry.file_size for entry in archive.infolist())
    found = [(one["name"], one["version"], one["licence"]) for one in manifest["distributions"]]
    assert found == [("agent", "1.0", "MIT"), ("shared", "1.0", "MIT")]
    assert layers.stale_reason(stack[0]) is None


def test_without_a_change_nothing_is_built(stack, store, monkeypatch):
    assert build(stack, store=store) == stack
    before = [layer.zip.stat().st_mtime_ns for layer in stack]
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    assert build(stack, store=store) == []
    assert [layer.zip.stat().st_mtime_ns for layer in stack] == before


def test_only_what_changed_is_built_again(stack, empty_store, index):
    store = empty_store
    build(stack, store=store)
    compiled = {path: path.stat().st_mtime_ns for path in store.glob("compiled/*/*")}
    untouched = stack[0].zip.stat().st_mtime_ns
    index.add("traces", "1.1", requires=["shared"])
    stack[1].lock.write_text(index.pin("traces", "1.1"))
    assert layers.stale_reason(stack[0]) is None
    assert layers.stale_reason(stack[1]).startswith("layers/langfuse is stale")
    assert build(stack, store=store) == [stack[1]]
    assert stack[0].zip.stat().st_mtime_ns == untouched
    again = {path: path.stat().st_mtime_ns for path in store.glob("compiled/*/*")}
    assert compiled.items() <= again.items()
    assert len(again) == len(compiled) + 1


DYING = """
import os, sys
from pathlib import Path
from layers import Layer
from tools.build_layers.building.build import build

class Dying:
    left = int(sys.argv[1])
    def begin(self, what, total):
        self.advance()
    def advance(self, steps=1):
        self.left -= 1
        if self.left < 0:
            os._exit(9)

_, _, store, *stack = sys.argv
build([Layer(Path(path).name, Path(path)) for path in stack], store=Path(store), progress=Dying())
"""


def started(stack, store, *, dies_after=1000):
    command = [sys.executable, "-c", DYING, str(dies_after), store, *(layer.directory for layer in stack)]
    return subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.PIPE)


@pytest.mark.parametrize("step", [0, 1, 3, 5])
def test_a_killed_build_leaves_no_partial_zip_and_no_broken_cache(stack, empty_store, step):
    with started(stack, empty_store, dies_after=step) as dying:
        assert dying.wait() == KILLED
    assert not [layer for layer in stack if layer.zip.exists()]
    build(stack, store=empty_store)
    assert violations(stack, "record", "bytecode", "closure") == []


def test_parallel_builds_do_not_collide(stack, empty_store):
    with started(stack, empty_store) as one, started(stack, empty_store) as other:
        assert (one.wait(), other.wait()) == (0, 0)
    assert [layers.stale_reason(layer) for layer in stack] == [None, None]


@pytest.mark.parametrize("kept", ["wheels/*/*/*.whl", "compiled/*/*"])
def test_a_corrupt_cache_entry_is_replaced(stack, store, empty_store, kept):
    build(stack, store=store)
    before = bytes_of(stack)
    forget(stack)
    shutil.copytree(store, empty_store)
    for number, path in enumerate(empty_store.glob(kept)):
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data if number else b"")
    build(stack, store=empty_store)
    assert bytes_of(stack) == before


def test_a_compiled_wheel_that_another_user_put_into_the_cache_is_not_used(stack, store, empty_store):
    build(stack, store=store)
    before = bytes_of(stack)
    forget(stack)
    shutil.copytree(store, empty_store)
    for path in empty_store.glob("compiled/*/*"):
        changed = path.read_bytes()[32:].replace(b"agent", b"agens")
        path.write_bytes(hashlib.sha256(changed).digest() + changed)
    build(stack, store=empty_store)
    assert bytes_of(stack) == before


def test_a_changed_zip_is_built_again(stack, store):
    build(stack, store=store)
    before = bytes_of(stack)
    stack[0].zip.write_bytes(before[0] + b"\0")
    assert layers.stale_reason(stack[0]).startswith("layers/strands is not what was built")
    assert build(stack, store=store) == [stack[0]]
    assert bytes_of(stack) == before


# What goes wrong
