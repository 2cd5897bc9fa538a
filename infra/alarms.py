"""What calls a person."""

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from infra.agent_metrics import AgentMetrics

NEAR_TIMEOUT = 0.9


class Alarms(Construct):
    """Alarms on what the metrics of an agent tell, sent to an email address if there is one."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        metrics: AgentMetrics,
        timeout: cdk.Duration,
        email: str,
    ) -> None:
        super().__init__(scope, construct_id)
        action = actions.SnsAction(_topic(self, email)) if email else None
        near = timeout.to_milliseconds() * NEAR_TIMEOUT
        for name, metric, threshold, meaning in (
            ("Errors", metrics.errors, 1, "Invocations crashed or timed out"),
            (
                "FailedAnswers",
                metrics.failed_answers,
                1,
                "Callers were answered with a status of 500 or above",
            ),
            ("Throttles", metrics.throttles, 1, "Calls were refused: no concurrency was left"),
            ("NearTimeout", metrics.duration("Maximum"), near, "A run took 90 % of the timeout or more"),
            ("LostTraces", metrics.lost_traces, 1, "Traces could neither be sent nor kept"),
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


def _topic(scope: Construct, email: str) -> sns.Topic:
    topic = sns.Topic(scope, "Topic", enforce_ssl=True)
    topic.add_subscription(subscriptions.EmailSubscription(email))
    # A topic with a policy of its own loses the default one, by which alarms may publish.
    topic.add_to_resource_policy(
        iam.PolicyStatement(
            actions=["sns:Publish"],
            principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
            resources=[topic.topic_arn],
            conditions={"StringEquals": {"aws:SourceAccount": cdk.Aws.ACCOUNT_ID}},
        )
    )
    return topic
