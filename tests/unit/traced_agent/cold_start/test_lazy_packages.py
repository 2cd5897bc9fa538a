"""A package that gathers names loads each when it is asked for; any other runs as ever."""

import importlib
import itertools
import sys
import threading
import types

import pytest

from traced_agent.cold_start import lazy_packages

NUMBERS = itertools.count()


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Writes a package of these modules, to be loaded lazily; gives its name. `first` is an empty module."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))

    def write(init, **modules):
        root = f"gathering_{next(NUMBERS)}"
        for name, text in {"__init__": init, "first": "", **modules}.items():
            path = tmp_path / root / f"{name.replace('.', '/')}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        importlib.invalidate_caches()
        lazy_packages.install(root, first=f"{root}.first")
        return root

    return write


def loaded(root):
    return {name.removeprefix(f"{root}.") for name in sys.modules if name.startswith(f"{root}.")}


def test_a_name_is_loaded_at_its_first_use_and_not_before(package):
    root = package('"""Gathers."""\nfrom .a import x\nfrom .b import y as z\n', a="x = 1", b="y = 2")
    module = importlib.import_module(root)
    assert loaded(root) == {"first"}
    assert module.x == 1
    assert loaded(root) == {"first", "a"}
    assert module.z == 2


def test_a_module_is_gathered_as_well(package):
    root = package("from . import a, b\n", a="x = 1", b="")
    assert importlib.import_module(root).a.x == 1
    assert loaded(root) == {"first", "a"}


def test_subpackages_are_lazy_too_and_can_re_export_from_their_parent(package):
    init = "from ..a import x\nfrom .b import y\n"
    root = package("", **{"a": "x = 1", "inner.__init__": init, "inner.b": "y = 2"})
    inner = importlib.import_module(f"{root}.inner")
    assert loaded(root) == {"first", "inner"}
    assert (inner.x, inner.y) == (1, 2)


def test_the_first_module_is_imported_first_for_any_name(package):
    root = package("from .first import one\nfrom .a import x\n", first="one = 1", a="x = 1")
    importlib.import_module(f"{root}.a")
    assert [name for name in sys.modules if name.startswith(f"{root}.")] == [f"{root}.first", f"{root}.a"]


def test_modules_that_gather_from_each_others_packages_can_be_loaded(package):
    root = package("from .a import x\nfrom .b import y\n", a="from . import y\nx = y", b="y = 2\n")
    assert importlib.import_module(root).x == 2


@pytest.mark.parametrize(
    "more",
    [
        "done = True",
        "import sys",
        "def __getattr__(name): raise AttributeError(name)",
        "try:\n    import no_such_module\nexcept ImportError:\n    pass",
        "from .a import *",
        "if True:\n    from .b import y",
        "from .a import a",
    ],
)
def test_a_package_that_does_more_runs_at_once(package, more):
    root = package(
        "", **{"inner.__init__": f"from .a import x\n{more}\n", "inner.a": "x = a = 1", "inner.b": "y = 2"}
    )
    inner = importlib.import_module(f"{root}.inner")
    assert "x" in vars(inner)


def test_a_name_that_is_also_a_modules_stays_the_name(package):
    """Python would put the module in its place as soon as that was loaded."""
    root = package("", **{"inner.__init__": "from .a import a\n", "inner.a": "a = 1"})
    importlib.import_module(f"{root}.inner.a")
    assert importlib.import_module(f"{root}.inner").a == 1


def test_a_module_that_is_not_loaded_is_imported_at_its_first_use(package):
    root = package("from .a import x\n", a="x = 1", b="y = 2")
    assert importlib.import_module(root).b.y == 2
    assert loaded(root) == {"first", "b"}


def test_a_star_import_gives_the_names_of_all(package):
    root = package("from .a import x\n__all__ = ['x']\n", a="x = 1")
    there = {}
    exec(f"from {root} import *", there)
    assert there["x"] == 1


def test_a_missing_name_raises_pythons_own_error(package):
    module = importlib.import_module(package("from .a import x\n", a="x = 1"))
    for name in ("nothing", "__nothing__"):
        with pytest.raises(AttributeError, match=f"module '{module.__name__}' has no attribute '{name}'"):
            getattr(module, name)


def test_a_module_that_fails_raises_at_each_use_of_its_name(package):
    module = importlib.import_module(package("from .a import x\n", a="import no_such_module"))
    for _ in range(2):
        with pytest.raises(ModuleNotFoundError, match="no_such_module"):
            module.x  # noqa: B018


def test_while_one_thread_has_a_package_run_another_gets_what_it_gathers(package, monkeypatch):
    gate = types.ModuleType("gate")
    gate.reached, gate.open = threading.Event(), threading.Event()
    monkeypatch.setitem(sys.modules, "gate", gate)
    waiting = "import gate\ngate.reached.set()\ngate.open.wait(60)\nx = 1"
    module = importlib.import_module(package("from .a import x\nfrom .b import y\n", a=waiting, b="y = 2"))
    running = threading.Thread(target=lambda: hasattr(module, "nothing"))
    running.start()
    assert gate.reached.wait(60)
    assert module.y == 2
    gate.open.set()
    running.join(60)
    assert vars(module)["x"] == 1


def test_other_packages_are_not_changed(package):
    package("")
    for name in ("json", "strandsx"):
        assert not any(
            isinstance(finder, lazy_packages._Finder) and finder.find_spec(name) for finder in sys.meta_path
        )
