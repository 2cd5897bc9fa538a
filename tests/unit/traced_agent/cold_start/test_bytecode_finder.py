"""The layers' modules are found and loaded as Python's own finder does it."""

import compileall
import importlib
import importlib.util
import itertools
import os
import sys
from importlib.machinery import PathFinder, SourceFileLoader
from py_compile import PycInvalidationMode

import pytest

from traced_agent.cold_start.bytecode_finder import BytecodeFinder, BytecodeLoader

NUMBERS = itertools.count()


@pytest.fixture
def layer(tmp_path, monkeypatch):
    """Writes a package of a unique name into a layer and compiles it; returns the finder and the name."""
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    monkeypatch.setattr(sys, "path", list(sys.path))
    root = tmp_path / "opt" / "python"

    def write(files, mode=PycInvalidationMode.UNCHECKED_HASH):
        package = f"layered_{next(NUMBERS)}"
        for name, text in files.items():
            path = root / package / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        compileall.compile_dir(root, quiet=1, invalidation_mode=mode)
        sys.path.insert(0, str(root))
        importlib.invalidate_caches()
        finder = BytecodeFinder(str(root), [str(tmp_path)])
        sys.meta_path.insert(sys.meta_path.index(PathFinder), finder)
        return finder, package

    return write


def same(found, expected):
    """The parts of two specs that modules and tools see."""
    parts = ("name", "origin", "cached", "has_location", "parent", "submodule_search_locations")
    return [getattr(found, part) for part in parts] == [getattr(expected, part) for part in parts]


@pytest.mark.parametrize("module", ["", ".module", ".inner", ".inner.module"])
def test_a_spec_is_the_one_that_python_makes(layer, module):
    files = dict.fromkeys(["__init__.py", "module.py", "inner/__init__.py", "inner/module.py"], "x = 1\n")
    finder, package = layer(files)
    importlib.import_module(package)
    importlib.import_module(f"{package}.inner")
    name = package + module
    path = sys.modules[name.rpartition(".")[0]].__path__ if module else None

    found = finder.find_spec(name, path)

    assert type(found.loader) is BytecodeLoader
    assert same(found, PathFinder.find_spec(name, path))
    assert found.loader.get_source(name) == "x = 1\n"


def test_a_module_has_the_attributes_that_python_gives_it(layer):
    _, package = layer({"__init__.py": "from .module import f", "module.py": "def f():\n    '''Doc.'''\n"})
    module = importlib.import_module(f"{package}.module")
    spec = PathFinder.find_spec(module.__name__, sys.modules[package].__path__)
    expected = importlib.util.module_from_spec(spec)

    assert (module.__file__, module.__cached__, module.__package__) == (
        expected.__file__,
        expected.__cached__,
        expected.__package__,
    )
    assert module.f.__code__.co_filename == module.__file__


def test_the_source_of_unchecked_bytecode_is_not_read(layer, tmp_path):
    _, package = layer({"__init__.py": "x = 1"})
    (tmp_path / "opt" / "python" / package / "__init__.py").write_text("not Python")

    assert importlib.import_module(package).x == 1


@pytest.mark.parametrize("mode", [PycInvalidationMode.TIMESTAMP, PycInvalidationMode.CHECKED_HASH])
def test_bytecode_of_another_kind_is_checked_against_its_source(layer, tmp_path, mode):
    _, package = layer({"__init__.py": "x = 1"}, mode)
    source = tmp_path / "opt" / "python" / package / "__init__.py"
    source.write_text("x = 22")

    assert importlib.import_module(package).x == 22


@pytest.mark.parametrize("content", [b"", b"\0" * 16, b"garbage"])
def test_damaged_bytecode_is_compiled_again(layer, tmp_path, content):
    _, package = layer({"__init__.py": "x = 1"})
    (bytecode,) = (tmp_path / "opt" / "python" / package / "__pycache__").iterdir()
    bytecode.write_bytes(content)

    assert importlib.import_module(package).x == 1


def test_bytecode_with_the_path_of_another_place_gets_its_own(layer, tmp_path):
    _, package = layer({"__init__.py": "def f(): pass"})
    folder = tmp_path / "opt" / "python" / package
    compileall.compile_dir(
        folder,
        quiet=1,
        force=True,
        stripdir=str(tmp_path),
        invalidation_mode=PycInvalidationMode.UNCHECKED_HASH,
    )

    assert importlib.import_module(package).f.__code__.co_filename == str(folder / "__init__.py")


@pytest.mark.parametrize(
    "files",
    [
        ["module.py", "module.so"],
        ["module.cpython-313-x86_64-linux-gnu.so"],
        ["module/data.txt"],
        ["module.pyc"],
        ["module/__init__.py", "module/__init__.abi3.so"],
    ],
)
def test_python_finds_what_is_not_one_source_module(layer, files):
    finder, package = layer(dict.fromkeys(["__init__.py", *files], ""))

    assert finder.find_spec(f"{package}.module", importlib.import_module(package).__path__) is None


def test_a_stub_file_next_to_a_module_changes_nothing(layer):
    finder, package = layer(dict.fromkeys(["__init__.py", "module.py", "module.pyi"], ""))

    assert finder.find_spec(f"{package}.module", importlib.import_module(package).__path__)


def test_a_package_comes_before_a_module_of_its_name(layer):
    _, package = layer({"__init__.py": "", "both.py": "x = 'module'", "both/__init__.py": "x = 'package'"})

    assert importlib.import_module(f"{package}.both").x == "package"


def test_modules_in_a_namespace_package_are_found(layer):
    finder, package = layer({"__init__.py": "", "space/module.py": "x = 1"})
    space = importlib.import_module(f"{package}.space")

    assert finder.find_spec(f"{package}.space.module", space.__path__)
    assert importlib.import_module(f"{package}.space.module").x == 1


def test_an_earlier_folder_of_the_path_comes_first(layer, tmp_path):
    finder, package = layer({"__init__.py": "x = 'layer'"})
    task = tmp_path / "task"
    task.mkdir()
    (task / f"{package}.py").write_text("x = 'task'")
    sys.path.insert(0, str(task))

    assert finder.find_spec(package) is None
    assert importlib.import_module(package).x == "task"


def test_after_a_folder_that_can_change_python_decides(layer, tmp_path_factory):
    finder, package = layer({"__init__.py": "x = 'layer'"})
    writable = tmp_path_factory.mktemp("writable")
    sys.path.insert(0, str(writable))

    assert finder.find_spec(package) is None
    (writable / f"{package}.py").write_text("x = 'new'")
    assert importlib.import_module(package).x == "new"


def test_a_missing_module_is_not_found(layer):
    finder, package = layer({"__init__.py": ""})

    assert finder.find_spec(f"{package}.missing", importlib.import_module(package).__path__) is None
    with pytest.raises(ModuleNotFoundError, match=f"No module named '{package}.missing'"):
        importlib.import_module(f"{package}.missing")


def test_without_a_mounted_layer_python_finds_everything():
    finder = BytecodeFinder("/opt/python", ["/opt"])

    assert finder.find_spec("json") is None
    assert (
        type(finder.find("json.decoder", importlib.import_module("json").__path__).loader) is SourceFileLoader
    )


def test_entries_of_the_path_that_are_not_folders_are_left_to_python(layer, tmp_path):
    finder, package = layer({"__init__.py": ""})
    sys.path[:0] = [str(tmp_path / "missing"), str(tmp_path / "opt" / "python" / package / "__init__.py")]
    assert finder.find_spec(package)
    sys.path.insert(0, os.fspath(""))
    assert finder.find_spec(package) is None
