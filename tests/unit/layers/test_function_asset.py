"""The function's asset: two source trees and their bytecode, the same from every host and folder."""

import io
import shutil
import subprocess
import zipfile

import pytest

from layers import function_asset, interpreter
from layers.function_asset import (
    RUNTIME,
    TABLE,
    AssetError,
    assemble,
    assembled,
    compile_asset,
    pack,
    source_files,
)
from tests.example_agent.source import EXAMPLE_AGENT

HEADERS = """
import importlib.util, pathlib, sys

print(importlib.util.MAGIC_NUMBER.hex())
for name in sys.argv[1:]:
    print(importlib.util.source_hash(pathlib.Path(name).read_bytes()).hex())
"""


@pytest.fixture
def agent(tmp_path):
    return shutil.copytree(EXAMPLE_AGENT, tmp_path / "agent", ignore=shutil.ignore_patterns("__pycache__"))


@pytest.fixture
def asset(tmp_path):
    target = tmp_path / "asset"
    target.mkdir()
    assemble(EXAMPLE_AGENT, target)
    return target


def package(agent):
    return pack(assembled(agent))


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_the_asset_is_both_source_trees_with_bytecode_for_every_module(asset):
    files = contents(asset)
    sources = {
        path.relative_to(tree).as_posix()
        for tree in (EXAMPLE_AGENT, RUNTIME)
        for path in tree.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and ".egg-info" not in str(path)
    }
    modules = {name for name in sources if name.endswith(".py")}

    assert {name for name in files if "__pycache__" not in name} == {*sources, TABLE}
    assert {name for name in files if "__pycache__" in name} == {
        name.replace(name.rpartition("/")[2], f"__pycache__/{name.rpartition('/')[2][:-3]}.cpython-313.pyc")
        for name in modules
    }


def test_the_bytecode_is_unchecked_hash_and_names_the_path_on_lambda(asset):
    modules = [name for name in contents(asset) if name.endswith(".py")]
    magic, *hashes = subprocess.check_output(
        [interpreter.target(), "-c", HEADERS, *modules], text=True, cwd=asset
    ).split()
    expected = dict(zip(modules, hashes, strict=True))
    for name, data in contents(asset).items():
        if name.endswith(".pyc"):
            module = name.replace("__pycache__/", "").replace(".cpython-313.pyc", ".py")
            assert data[:4].hex() == magic
            assert int.from_bytes(data[4:8], "little") == 0b01
            assert data[8:16].hex() == expected[module]
            assert b"/var/task/" in data


def test_two_folders_with_the_same_source_give_the_same_bytes(agent):
    (agent / "__pycache__").mkdir()
    (agent / "__pycache__" / "agent.cpython-311.pyc").write_bytes(b"of the host")
    (agent / "handler.egg-info").mkdir()
    (agent / "handler.egg-info" / "PKG-INFO").write_text("Name: handler")
    (agent / ".DS_Store").write_bytes(b"of the desktop")

    assert package(agent) == package(EXAMPLE_AGENT)


def test_data_files_of_the_agent_are_part_of_the_asset(agent):
    (agent / "prompts").mkdir()
    (agent / "prompts" / "system.md").write_text("You are brief.")

    assert "prompts/system.md" in source_files(agent)
    assert "prompts/system.md" in zipfile.ZipFile(io.BytesIO(package(agent))).namelist()


def test_a_module_that_does_not_compile_is_named_with_its_line(agent):
    (agent / "agent.py").write_text("x = 1\ndef (:\n")

    with pytest.raises(AssetError, match=r"does not compile: agent\.py, line 2: ") as error:
        package(agent)
    assert "\n" not in str(error.value)


def test_a_damaged_record_of_compilations_is_named(agent, tmp_path, monkeypatch):
    monkeypatch.setattr(function_asset, "INPUTS", tmp_path / "precompiled.json")
    function_asset.INPUTS.write_text("<<<<<<< HEAD")
    with pytest.raises(
        AssetError, match=r"layers/precompiled.json cannot be compiled: .*: restore it, or record"
    ):
        assembled(agent)


def test_a_folder_without_a_handler_is_rejected(tmp_path):
    with pytest.raises(AssetError, match=r"no lambda_handler\.py"):
        package(tmp_path)


def test_a_folder_that_holds_only_old_bytecode_is_not_a_module(agent):
    (agent / "traced_agent" / "__pycache__").mkdir(parents=True)
    (agent / "traced_agent" / "__pycache__" / "run.cpython-313.pyc").touch()

    assert package(agent)


def test_a_module_with_the_name_of_the_runtime_is_rejected(agent):
    (agent / "traced_agent").mkdir()
    (agent / "traced_agent" / "__init__.py").touch()

    with pytest.raises(AssetError, match="traced_agent has the name of the runtime's package: rename it"):
        package(agent)


def test_an_edited_copy_can_be_compiled_again(asset):
    (asset / "agent.py").write_text("EDITED = True\n")
    compile_asset(asset)

    assert b"EDITED" in (asset / "__pycache__" / "agent.cpython-313.pyc").read_bytes()


def test_only_modules_that_changed_are_compiled_again(tmp_path):
    agent = shutil.copytree(EXAMPLE_AGENT, tmp_path / "agent")
    earlier = tmp_path / "earlier"
    assemble(agent, earlier)
    known = next(path for path in earlier.rglob("lambda_handler.cpython-*.pyc"))
    known.write_bytes(known.read_bytes() + b"\0")  # to recognize it
    (agent / "agent.py").write_text("changed = True\n")
    assemble(agent, tmp_path / "new", earlier)
    assemble(agent, tmp_path / "whole")
    new, whole = files_of(tmp_path / "new"), files_of(tmp_path / "whole")
    same = known.relative_to(earlier)
    assert new.pop(same) == whole.pop(same) + b"\0"
    assert new == whole


def files_of(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
