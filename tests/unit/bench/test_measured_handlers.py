"""The handlers and requirements that the bench changes before it measures them."""

import pytest

import layers
from tools.bench import cold_start, deployed, warm_requests
from tools.bench import layers as layers_bench


def test_every_edit_of_the_bench_still_fits_the_handler(tmp_path):
    edits_of_all = [*cold_start._STEPS.values(), {"idle_connection": warm_requests._NEW_CONNECTION}]
    for number, edits in enumerate(edits_of_all):
        copy = deployed.copy(deployed.ours(), tmp_path / str(number), **edits)
        for module in edits:
            (edited,) = copy.rglob(f"{module}.py")
            compile(edited.read_text(), str(edited), "exec")


def test_an_edit_that_no_longer_fits_is_reported(tmp_path):
    with pytest.raises(RuntimeError, match="the bench no longer finds 'no such text'"):
        deployed.copy(deployed.ours(), tmp_path / "copy", agent=("no such text", ""))


def test_a_replaced_handler_of_the_bench_runs_instead_of_the_bytecode_of_ours(tmp_path):
    never = deployed.never_sending(tmp_path / "never")
    (bytecode,) = (never / "__pycache__").glob("lambda_handler.*.pyc")
    assert b"ExportQueue" in bytecode.read_bytes()
    assert (never / "wrapped_handler.py").read_text() == (deployed.ours() / "lambda_handler.py").read_text()


def test_the_package_that_is_changed_is_required():
    old, new = layers_bench._OTHER_VERSION
    assert old in layers.LANGFUSE.requirements.read_text().splitlines()
    assert old.partition(">")[0] == new.partition("=")[0]
