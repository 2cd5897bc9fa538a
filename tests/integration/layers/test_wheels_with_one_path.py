"""Two wheels that contain the same path."""

from zipfile import ZipFile

import pytest

from tools.build_layers.building.build import build
from tools.build_layers.checks.candidate import Candidate
from tools.build_layers.checks.layer_contents import read_layer
from tools.build_layers.checks.result import Harmless
from tools.build_layers.checks.run import CHECKS
from tools.command import Failure


def findings(*stack):
    """What every check that needs no machine code reports: warnings, violations."""
    candidate = Candidate([read_layer(layer) for layer in stack], handler=None)
    found = [(name, line) for name, check in CHECKS.items() if name != "imports" for line in check(candidate)]
    warnings = [(name, str(line)) for name, line in found if isinstance(line, Harmless)]
    return warnings, [(name, line) for name, line in found if not isinstance(line, Harmless)]


@pytest.fixture
def twins(index, make_stack):
    """Publishes two wheels with one common path, and locks both in one layer."""

    def make(first, second, **stack):
        for name, text in (("one", first), ("two", second)):
            index.add(name, "1.0", files={f"{name}.py": "", "tests/__init__.py": text})
        layers = make_stack(**(stack or {"strands": "one>=1.0\ntwo>=1.0"}))
        for layer in layers:
            names = [line.partition(">=")[0] for line in layer.requirements.read_text().split()]
            layer.lock.write_text("".join(index.pin(name, "1.0") for name in names))
        return layers

    return make


def test_a_file_that_two_wheels_contain_equally_is_kept_once(twins, tmp_path):
    (layer,) = twins("x = 1\n", "x = 1\n")
    build([layer], store=tmp_path / "store")
    with ZipFile(layer.zip) as archive:
        assert archive.namelist().count("python/tests/__init__.py") == 1
    assert findings(layer) == ([], [])


def test_different_files_of_one_path_can_be_excluded(twins, tmp_path):
    (layer,) = twins("x = 1\n", "x = 2\n")
    with pytest.raises(Failure, match=r"tests/\S+ is in one-1.0-\S+ and, with other contents, in two-1.0-"):
        build([layer], store=tmp_path / "store")
    (layer.directory / "exclude.txt").write_text("# not needed\ntests/*\n")
    build([layer], store=tmp_path / "store")
    with ZipFile(layer.zip) as archive:
        assert not [name for name in archive.namelist() if "/tests/" in name]
    assert findings(layer) == ([], [])


def test_an_exclusion_that_matches_nothing_is_a_mistake(twins, tmp_path):
    (layer,) = twins("x = 1\n", "x = 1\n")
    (layer.directory / "exclude.txt").write_text("test/*\n")
    with pytest.raises(
        Failure, match=r"layers/strands/exclude.txt: 'test/\*' matches no file: correct or remove it"
    ):
        build([layer], store=tmp_path / "store")


@pytest.mark.parametrize(("second", "harmless"), [("x = 1\n", True), ("x = 2\n", False)])
def test_a_path_in_two_layers_is_harmless_only_if_the_files_are_equal(twins, tmp_path, second, harmless):
    stack = twins("x = 1\n", second, strands="one>=1.0", langfuse="two>=1.0")
    build(stack, store=tmp_path / "store")
    warnings, violations = findings(*stack)
    assert bool(warnings) is harmless
    assert bool(violations) is not harmless
