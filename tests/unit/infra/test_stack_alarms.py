"""The alarms and the dashboard."""

import json

import pytest

from infra import regions
from tests.unit.infra.template import one, resources
from traced_agent import metrics
from traced_agent.settings import Settings


def test_there_are_eight_alarms_with_a_link_to_the_docs(synthesize) -> None:
    alarms = resources(synthesize(), "AWS::CloudWatch::Alarm")

    assert {alarm["MetricName"] for alarm in alarms} == {
        "Errors", "Url5xxCount", "Throttles", "Duration", metrics.TRACES_LOST,
        metrics.RUNS_FAILED, metrics.TRACES_WAITING, metrics.OLDEST_TRACE_AGE,
    }  # fmt: skip
    assert all("docs/operations.md" in alarm["AlarmDescription"] for alarm in alarms)
    assert not any("AlarmActions" in alarm for alarm in alarms)


def test_the_duration_alarm_follows_the_timeout(synthesize) -> None:
    alarms = resources(synthesize({"timeout_s": "60"}), "AWS::CloudWatch::Alarm")

    assert [alarm["Threshold"] for alarm in alarms if alarm["MetricName"] == "Duration"] == [54_000]


@pytest.mark.parametrize("timeout_s", [10, 20, 39, 40, 41, 300, 900])
def test_a_run_that_meets_its_deadline_reaches_the_duration_alarm(synthesize, timeout_s: int) -> None:
    alarms = resources(synthesize({"timeout_s": str(timeout_s)}), "AWS::CloudWatch::Alarm")
    reserve_s = min(timeout_s / 2, Settings().trace_export_timeout_s + 1)
    (threshold,) = (alarm["Threshold"] for alarm in alarms if alarm["MetricName"] == "Duration")

    assert 0 < threshold <= (timeout_s - reserve_s) * 1000


def test_alarms_can_send_to_the_email_address(synthesize) -> None:
    template = synthesize({"alarm_email": "on-call@example.com"})
    policy = one(template, "AWS::SNS::TopicPolicy")["PolicyDocument"]["Statement"]

    assert one(template, "AWS::SNS::Subscription")["Endpoint"] == "on-call@example.com"
    assert all(alarm["AlarmActions"] for alarm in resources(template, "AWS::CloudWatch::Alarm"))
    assert {"Service": "cloudwatch.amazonaws.com"} in [
        one["Principal"] for one in policy if one["Effect"] == "Allow"
    ]


def test_the_dashboard_shows_the_alarms_metrics(synthesize) -> None:
    body = json.dumps(one(synthesize(), "AWS::CloudWatch::Dashboard")["DashboardBody"])

    for shown in (
        "Invocations", "Errors", "p50", "p95", "p99",
        metrics.INPUT_TOKENS, metrics.OUTPUT_TOKENS, metrics.COLD_STARTS, metrics.TRACES_LOST,
    ):  # fmt: skip
        assert shown in body


def test_the_dashboards_address_is_in_the_console_of_its_region(synthesize) -> None:
    template = synthesize({"region": "eu-west-1", "model_id": "eu.a.model"})

    assert "https://eu-west-1.console.aws.amazon.com/cloudwatch" in json.dumps(
        template["Outputs"]["DashboardUrl"]
    )


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("us-east-1", "us-east-1.console.aws.amazon.com"),
        ("us-gov-west-1", "us-gov-west-1.console.amazonaws-us-gov.com"),
        ("cn-north-1", "cn-north-1.console.amazonaws.cn"),
    ],
)
def test_each_partition_has_its_console(region: str, host: str) -> None:
    assert regions.console(region) == host


def test_with_snapstart_the_dashboard_shows_restores_instead_of_snapshots(synthesize) -> None:
    body = json.dumps(one(synthesize({"snapstart": "true"}), "AWS::CloudWatch::Dashboard")["DashboardBody"])

    assert "platform.restoreReport" in body
    assert metrics.COLD_STARTS not in body
