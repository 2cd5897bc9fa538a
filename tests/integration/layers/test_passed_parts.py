"""A build checks only the files of new packages; each check can still fail."""

import pytest

from tools.build_layers import signatures
from tools.build_layers.building.build import build
from tools.build_layers.checks.candidate import Candidate
from tools.build_layers.checks.layer_contents import read_layer
from tools.build_layers.checks.passed_parts import PassedParts
from tools.build_layers.checks.result import Violation
from tools.build_layers.checks.run import CHECKS
from tools.zip_entries import compress, write_zip

FILE_CHECKS = ("record", "machine", "bytecode")


@pytest.fixture
def layer(stack, store):
    """A built layer with the distributions agent and shared."""
    build(stack, store=store)
    return stack[0]


@pytest.fixture
def parts(tmp_path):
    return PassedParts(tmp_path / "cache", "x86_64")


def found(contents):
    return [line for name in FILE_CHECKS for line in CHECKS[name](Candidate([contents]))]


def changed(layer, path, data):
    """The layer with another file."""
    contents = read_layer(layer)
    kept = [entry for entry in contents.stored if entry.path != path]
    write_zip(layer.zip, [*kept, compress(path, data)])
    return read_layer(layer)


def test_files_that_passed_are_known_in_the_next_build(layer, parts):
    contents = parts.recall(read_layer(layer))
    assert not contents.passed
    assert found(contents) == []
    parts.remember(contents, [])
    again = parts.recall(read_layer(layer))
    assert set(again.passed) == set(again.files)
    assert again.hashes == contents.hashes


@pytest.mark.parametrize(
    ("path", "data", "message"),
    [
        ("python/agent.py", b"version = '1.1'\n", "strands: agent.py is not the file of its RECORD"),
        ("python/agent.py", b"version = '1.1'\n", "strands: agent.py has stale bytecode"),
        ("python/agent.so", b"MZ", "strands: agent.so is of another system, not an ELF for x86_64"),
    ],
)
def test_a_file_that_changed_is_checked_again(layer, parts, path, data, message):
    parts.remember(read_layer(layer), [])
    assert any(line.startswith(message) for line in found(parts.recall(changed(layer, path, data))))


def test_a_record_that_changed_is_compared_again(layer, parts):
    parts.remember(read_layer(layer), [])
    path = "agent-1.0.dist-info/RECORD"
    record = read_layer(layer).files[path].replace(b"agent.py,sha256=", b"agent.py,sha256=x")
    contents = parts.recall(changed(layer, f"python/{path}", record))
    assert "strands: agent.py is not the file of its RECORD (its hash differs)" in found(contents)


@pytest.mark.parametrize("check", ["machine", "bytecode", "record", "glibc"])
def test_a_layer_with_a_finding_is_checked_again(layer, parts, check):
    parts.remember(read_layer(layer), [Violation(check, "strands: agent.py is wrong")])
    assert not parts.recall(read_layer(layer)).passed


def test_the_glibc_of_known_binaries_is_still_compared(layer, parts):
    contents = read_layer(layer)
    contents.needed_glibc["agent.py"] = (2, 35)
    parts.remember(contents, [])
    known = parts.recall(read_layer(layer))
    assert list(CHECKS["glibc"](Candidate([known]))) == [
        "strands: agent.py needs GLIBC_2.35, and python3.13 allows 2.34"
    ]


def test_a_result_that_another_user_wrote_is_not_used(layer, parts, tmp_path):
    parts.remember(read_layer(layer), [])
    for path in tmp_path.glob("cache/checked/*/*"):
        path.write_bytes(bytes(32) + path.read_bytes()[32:])
    assert not parts.recall(read_layer(layer)).passed


def test_a_signature_is_for_one_name():
    signed = signatures.sign("a", b"data")
    assert signatures.verified("a", signed) == b"data"
    assert signatures.verified("b", signed) is None
    assert signatures.verified("a", signed[:-1]) is None
