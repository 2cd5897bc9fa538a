"""A module is delayed for one importer and real for all others."""

import importlib
import itertools
import sys
import threading

import pytest

from traced_agent.cold_start import deferred_modules
from traced_agent.cold_start.deferred_modules import Deferral, Placeholder

NUMBERS = itertools.count()
HEAVY = """\
class Error(Exception): pass
class Thing:
    size = 3
    def __init__(self, text=""):
        if text == "bad":
            raise Error(text)
        self.text = text
def add(a, b=1): return a + b
OTHER = 7
"""
USER = "from {heavy} import Error, Thing, add\n"


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Writes a delayed module, its importer and another importer; returns the modules' names."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))

    def write(heavy=HEAVY, user=USER):
        number = next(NUMBERS)
        names = [f"{kind}_{number}" for kind in ("heavy", "user", "other")]
        for name, text in zip(names, (heavy, user, user), strict=True):
            (tmp_path / f"{name}.py").write_text(text.format(heavy=names[0]) if text is user else text)
        importlib.invalidate_caches()
        deferral = Deferral(names[1], frozenset({"Error", "Thing", "add"}))
        deferred_modules.install(importlib.machinery.PathFinder.find_spec, {names[0]: deferral})
        return names

    return write


def is_loaded(name):
    return "OTHER" in vars(sys.modules[name])


def test_the_importer_gets_placeholders_and_the_module_is_not_executed(package):
    heavy, user, _ = package()
    module = importlib.import_module(user)
    assert isinstance(module.Thing, Placeholder)
    assert not is_loaded(heavy)


@pytest.mark.parametrize(
    "use",
    [
        lambda module: module.add(1, b=2) == 3,
        lambda module: module.Thing("x").text == "x",
        lambda module: module.Thing.size == 3,
        lambda module: not isinstance(3, module.Thing),
        lambda module: not issubclass(int, module.Thing),
        lambda module: type("Sub", (), {}) and _subclass(module.Thing)("y").text == "y",
    ],
)
def test_the_first_use_of_a_placeholder_puts_every_real_object_in_its_place(package, use):
    heavy, user, _ = package()
    module = importlib.import_module(user)
    assert use(module)
    real = sys.modules[heavy]
    assert (module.Error, module.Thing, module.add) == (real.Error, real.Thing, real.add)
    assert type(real) is type(sys)
    assert real.__spec__.loader is real.__loader__


def _subclass(base):
    class Sub(base):
        pass

    return Sub


def test_an_exception_class_of_the_module_can_be_caught(package):
    _, user, _ = package()
    module = importlib.import_module(user)
    caught = ""
    try:
        module.Thing("bad")
    except module.Error as error:  # the name is looked up after the module was executed
        caught = str(error)
    assert caught == "bad"


def test_any_other_importer_gets_the_real_objects(package):
    heavy, user, other = package()
    module = importlib.import_module(user)
    assert isinstance(importlib.import_module(other).Thing, type)
    assert is_loaded(heavy)
    assert module.Thing is sys.modules[heavy].Thing


def test_an_attribute_of_the_module_executes_it(package):
    heavy, _, _ = package()
    module = importlib.import_module(heavy)
    assert not is_loaded(heavy)
    assert module.OTHER == 7


def test_a_missing_attribute_is_an_attribute_error(package):
    heavy, _, _ = package()
    module = importlib.import_module(heavy)
    with pytest.raises(AttributeError, match="no attribute 'missing'"):
        _ = module.missing


def test_a_module_that_fails_is_executed_again_at_the_next_use(package, monkeypatch):
    heavy, user, _ = package(heavy="import os\nif os.environ.get('FAIL'): raise OSError('x')\n" + HEAVY)
    monkeypatch.setenv("FAIL", "1")
    module = importlib.import_module(user)
    with pytest.raises(OSError, match="x"):
        module.add(1)
    monkeypatch.delenv("FAIL")
    assert module.add(1) == 2
    assert is_loaded(heavy)


def test_threads_that_use_it_at_the_same_time_execute_it_once(package):
    heavy, user, _ = package(
        heavy="import time\ntime.sleep(0.05)\nRUNS = globals().get('RUNS', 0) + 1\n" + HEAVY
    )
    module = importlib.import_module(user)
    found = []
    threads = [threading.Thread(target=lambda: found.append(module.add(1))) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [2] * 5
    assert sys.modules[heavy].RUNS == 1
