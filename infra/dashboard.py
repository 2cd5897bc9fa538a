"""What a person looks at."""

from aws_cdk import Aws
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.agent_metrics import AgentMetrics

PERCENTILES = ("p50", "p95", "p99")
LAST_ERRORS = (
    "fields @timestamp, run_id, trace_id, message",
    'filter level = "ERROR" or level = "WARNING"',
    "sort @timestamp desc",
    "limit 20",
)


class Dashboard(Construct):
    """One page of an agent's invocations, errors, durations, tokens, cold starts and lost traces."""

    def __init__(
        self, scope: Construct, construct_id: str, *, metrics: AgentMetrics, log_group: logs.ILogGroup
    ) -> None:
        super().__init__(scope, construct_id)
        page = cloudwatch.Dashboard(self, "Dashboard")
        page.add_widgets(
            _graph("Invocations", metrics.invocations, metrics.concurrency),
            _graph("Errors", metrics.errors, metrics.failed_answers, metrics.throttles),
            _graph("Duration, ms", *(metrics.duration(p).with_(label=p) for p in PERCENTILES)),
        )
        page.add_widgets(
            _graph("Tokens", *metrics.tokens),
            _graph("Cold starts", metrics.cold_starts),
            _graph("Lost traces", metrics.lost_traces),
        )
        page.add_widgets(
            cloudwatch.LogQueryWidget(
                title="Last errors",
                width=24,
                log_group_names=[log_group.log_group_name],
                query_lines=[*LAST_ERRORS],
            )
        )
        console = f"https://{Aws.REGION}.console.aws.amazon.com/cloudwatch/home?region={Aws.REGION}"
        self.url = f"{console}#dashboards/dashboard/{page.dashboard_name}"


def _graph(title: str, *metrics: cloudwatch.IMetric) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(title=title, left=list(metrics), width=8)
