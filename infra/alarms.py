"""Alarms, sent to an email address if there is one."""

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from infra.agent_metrics import AgentMetrics

NEAR_TIMEOUT = 0.9
MANY_WAITING = 100
"""Runs in one execution environment whose traces wait to be sent."""
MANY_REJECTED = 100
"""Requests without a valid token, within the period of the metric."""
LONG_WAITING_S = 300
"""Environments are recycled after some minutes without requests, and their waiting traces with them."""


class Alarms(Construct):
    """Alarms on the metrics of an agent."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        metrics: AgentMetrics,
        timeout: cdk.Duration,
        export_s: float,
        email: str,
        key: kms.IKey | None,
        tokens: bool,
    ) -> None:
        super().__init__(scope, construct_id)
        action = actions.SnsAction(_topic(self, email, key)) if email else None
        longest = metrics.duration("Maximum")
        rejected = (
            "RejectedRequests",
            metrics.rejected_requests,
            MANY_REJECTED,
            "Many requests had no valid token",
        )
        for name, metric, threshold, meaning in (
            *([rejected] if tokens else []),
            ("Errors", metrics.errors, 1, "Invocations crashed or timed out"),
            ("FailedAnswers", metrics.failed_answers, 1, "Callers received a status of 500 or above"),
            ("FailedRuns", metrics.failed_runs, 1, "Runs failed, also while they streamed their answer"),
            ("Throttles", metrics.throttles, 1, "Lambda rejected calls: no concurrency was left"),
            ("NearTimeout", longest, near_timeout_ms(timeout, export_s), "A run nearly used its time"),
            ("LostTraces", metrics.lost_traces, 1, "Traces could neither be sent nor kept"),
            ("WaitingTraces", metrics.waiting_traces, MANY_WAITING, "Many traces wait to be sent"),
            ("OldTraces", metrics.oldest_trace, LONG_WAITING_S, "A trace has waited long to be sent"),
        ):
            alarm = metric.create_alarm(
                self,
                name,
                alarm_description=f"{meaning}: see docs/operations.md",
                threshold=threshold,
                evaluation_periods=1,
                comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
                treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
            )
            if action:
                alarm.add_alarm_action(action)
                alarm.add_ok_action(action)


def near_timeout_ms(timeout: cdk.Duration, export_s: float) -> float:
    """The duration at which a run is close to its timeout, in ms.

    A run ends `export_s` and a second before the timeout, or at half of a short one, with
    `deadline_exceeded`. In a short timeout that is below 90 %, so the threshold must not be above it.
    """
    total = timeout.to_seconds()
    deadline = total - min(total / 2, export_s + 1)
    return 1000 * min(NEAR_TIMEOUT * float(total), deadline)


def _topic(scope: Construct, email: str, key: kms.IKey | None) -> sns.Topic:
    topic = sns.Topic(scope, "Topic", enforce_ssl=True, master_key=key)
    topic.add_subscription(subscriptions.EmailSubscription(email))
    # A topic with its own policy loses the default policy, which allows alarms to publish.
    topic.add_to_resource_policy(
        iam.PolicyStatement(
            actions=["sns:Publish"],
            principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
            resources=[topic.topic_arn],
            conditions={"StringEquals": {"aws:SourceAccount": cdk.Aws.ACCOUNT_ID}},
        )
    )
    return topic
