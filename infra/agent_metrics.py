"""The metrics of an agent: Lambda's metrics, and those that the function writes into its log."""

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_

from traced_agent import metrics as written

PERIOD = cdk.Duration.minutes(5)


class AgentMetrics:
    """The CloudWatch metrics of one function."""

    def __init__(self, function: lambda_.Function) -> None:
        self._function = function
        self.invocations = function.metric_invocations(period=PERIOD)
        self.errors = function.metric_errors(period=PERIOD)
        self.throttles = function.metric_throttles(period=PERIOD)
        self.concurrency = function.metric("ConcurrentExecutions", period=PERIOD, statistic="Maximum")
        self.failed_answers = function.metric("Url5xxCount", period=PERIOD, statistic="Sum")
        self.failed_runs = self._written(written.RUNS_FAILED)
        self.rejected_requests = self._written(written.REQUESTS_REJECTED)
        self.lost_traces = self._written(written.TRACES_LOST)
        self.waiting_traces = self._written(written.TRACES_WAITING, statistic="Maximum")
        self.oldest_trace = self._written(written.OLDEST_TRACE_AGE, statistic="Maximum")
        self.cold_starts = self._written(written.COLD_STARTS)
        self.tokens = [
            self._written(name)
            for name in (
                written.INPUT_TOKENS,
                written.OUTPUT_TOKENS,
                written.CACHE_READ_TOKENS,
                written.CACHE_WRITE_TOKENS,
            )
        ]

    def duration(self, statistic: str) -> cloudwatch.Metric:
        """The duration of invocations, in ms."""
        return self._function.metric_duration(period=PERIOD, statistic=statistic)

    def _written(self, name: str, *, statistic: str = "Sum") -> cloudwatch.Metric:
        return cloudwatch.Metric(
            namespace=written.NAMESPACE,
            metric_name=name,
            dimensions_map={written.DIMENSION: self._function.function_name},
            statistic=statistic,
            period=PERIOD,
        )
