"""The dashboard."""

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra import regions
from infra.agent_metrics import AgentMetrics

PERCENTILES = ("p50", "p95", "p99")
LAST_ERRORS = (
    "fields @timestamp, run_id, trace_id, message",
    'filter level = "ERROR" or level = "WARNING"',
    "sort @timestamp desc",
    "limit 20",
)


RESTORES = (
    'filter type = "platform.restoreReport"',
    "stats count(*) as restores, max(record.metrics.durationMs) as slowest_ms by bin(5m)",
)
"""With SnapStart the metric of cold starts counts snapshots; environments that start are in Lambda's log."""


class Dashboard(Construct):
    """One page with an agent's invocations, errors, durations, tokens, cold starts and traces."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        metrics: AgentMetrics,
        log_group: logs.ILogGroup,
        snapstart: bool,
    ) -> None:
        super().__init__(scope, construct_id)
        page = cloudwatch.Dashboard(self, "Dashboard")
        page.add_widgets(
            _graph("Invocations", metrics.invocations, metrics.concurrency),
            _graph("Errors", metrics.errors, metrics.failed_answers, metrics.failed_runs, metrics.throttles),
            _graph("Duration, ms", *(metrics.duration(p).with_(label=p) for p in PERCENTILES)),
        )
        page.add_widgets(
            _graph("Tokens", *metrics.tokens),
            _query("Starts from a snapshot", log_group, RESTORES, width=8)
            if snapstart
            else _graph("Cold starts", metrics.cold_starts),
            _graph("Traces", metrics.lost_traces, metrics.waiting_traces),
        )
        page.add_widgets(_query("Last errors", log_group, LAST_ERRORS, width=24))
        region = cdk.Stack.of(self).region
        console = f"https://{regions.console(region)}/cloudwatch/home?region={region}"
        self.url = f"{console}#dashboards/dashboard/{page.dashboard_name}"


def _graph(title: str, *metrics: cloudwatch.IMetric) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(title=title, left=list(metrics), width=8)


def _query(title: str, log_group: logs.ILogGroup, lines: Sequence[str], *, width: int) -> cloudwatch.IWidget:
    return cloudwatch.LogQueryWidget(
        title=title, width=width, log_group_names=[log_group.log_group_name], query_lines=[*lines]
    )
