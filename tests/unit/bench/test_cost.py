"""What a run costs, from its time and the published prices."""

import pytest

from tools.bench import cost
from tools.bench.cost import EnvironmentCost, agentcore_usd, lambda_usd


def test_a_million_runs_on_lambda_cost_their_requests_and_their_gigabyte_seconds():
    assert lambda_usd(1024, 2.0) == pytest.approx(0.20 + 33.3334)
    assert lambda_usd(512, 2.0) == pytest.approx(0.20 + 16.6667)
    assert lambda_usd(1024, 2.0, architecture="arm64") == pytest.approx(0.20 + 26.6668)
    assert lambda_usd(1024, 2.0, runs=1) == pytest.approx(0.0000335334)


def test_agentcore_bills_used_cpu_and_memory_for_a_second_at_least():
    assert agentcore_usd(3600.0, 0.0, 1.0, runs=1) == pytest.approx(0.0895)
    assert agentcore_usd(0.0, 1024.0, 3600.0, runs=1) == pytest.approx(0.00945)
    assert agentcore_usd(0.0, 1024.0, 0.1) == agentcore_usd(0.0, 1024.0, 1.0)


def test_the_tables_contain_every_memory_size_and_both_architectures():
    samples = {size: [EnvironmentCost(2.0, 0.1, 0.02, 150.0)] for size in cost.MEMORY_MB}

    times, prices = cost._times(samples), cost._prices(samples)

    assert [row[0] for row in times.rows] == [row[0] for row in prices.rows] == list(cost.MEMORY_MB)
    assert all(len(row) == len(table.columns) for table in (times, prices) for row in table.rows)
    row = dict(zip(prices.columns, prices.rows[2], strict=True))
    assert row["2 s model, warm"] == pytest.approx(lambda_usd(1024, 2.1))
    assert row["10 s model, cold"] == pytest.approx(lambda_usd(1024, 12.0))
    assert row["2 s model, warm, arm64"] == pytest.approx(lambda_usd(1024, 2.1, architecture="arm64"))
    assert cost.PRICED in prices.note


def test_agentcore_is_compared_with_a_session_that_ends_and_one_that_stays_idle():
    samples = {size: [EnvironmentCost(2.0, 0.1, 0.02, 150.0)] for size in cost.MEMORY_MB}

    table = cost._agentcore(samples)

    assert [row[0] for row in table.rows] == ["2 s", "10 s"]
    assert table.rows[0][1] == pytest.approx(agentcore_usd(0.02, 150.0, 2.1))
    assert table.rows[0][2] == pytest.approx(agentcore_usd(0.02, 150.0, 902.1))


def test_without_a_control_group_the_part_names_the_reason(monkeypatch):
    monkeypatch.setattr(cost, "unavailable", lambda: "no control group")

    with pytest.raises(RuntimeError, match="no control group"):
        cost.measure()
