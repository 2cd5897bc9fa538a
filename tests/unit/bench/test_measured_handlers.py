"""The handlers and requirements that the bench changes before it measures them."""

import pytest

import layers
from tools.bench import cold_start_steps, deployed, warm_requests
from tools.bench import layers as layers_bench


def test_every_edit_of_the_bench_still_fits_the_handler(tmp_path):
    edits_of_all = [*cold_start_steps.STEPS.values(), {"idle_connection": warm_requests._NEW_CONNECTION}]
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


def test_a_step_is_compared_with_ours_in_pairs_whatever_the_noise_of_the_machine():
    order = []

    def noise():
        return 100.0 * (len(order) // 2)  # the same for both of a pair

    def ours():
        value = 900 + noise()
        order.append("ours")
        return value

    def other():
        value = 910 + noise()
        order.append("other")
        return value

    samples, failed = cold_start_steps.compare(ours, {"without it": other})
    table = cold_start_steps.table(samples)
    assert not failed
    assert order[:4] == ["ours", "other", "other", "ours"]
    assert order.count("ours") == order.count("other") == cold_start_steps.ROUNDS
    name, answer, more = table.rows[0]
    assert (name, answer) == ("without it", 1510.0)
    assert more == "10 (10 to 10)"
