"""The stack: an agent's function behind a URL, with what it may reach and what watches it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import aws_cdk as cdk
from aws_cdk import CfnOutput, Stack
from constructs import Construct

from infra import bedrock_access, secret_access
from infra.agent_function import AgentFunction
from infra.agent_metrics import AgentMetrics
from infra.alarms import Alarms
from infra.dashboard import Dashboard
from infra.function_url import FunctionUrl
from infra.session_bucket import SessionBucket
from traced_agent.settings import Settings


class AgentStack(Stack):
    """All of a deployment."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        auth: str,
        cors_origins: Sequence[str],
        reserved_concurrency: int | None,
        memory_mb: int,
        timeout: cdk.Duration,
        log_retention_days: int,
        alarm_email: str,
        xray: bool,
        snapstart: bool,
        sessions: bool,
        **stack: Any,
    ) -> None:
        super().__init__(scope, construct_id, **stack)
        bucket = SessionBucket(self, "Sessions") if sessions else None
        if bucket:
            settings = replace(settings, session_bucket=bucket.bucket.bucket_name)

        agent = AgentFunction(
            self,
            "Agent",
            environment=settings.to_env(),
            memory_mb=memory_mb,
            timeout=timeout,
            log_retention_days=log_retention_days,
            reserved_concurrency=reserved_concurrency,
            xray=xray,
            snapstart=snapstart,
        )
        if bucket:
            bucket.grant(agent.role)
        if settings.otlp_headers_secret_arn:
            secret_access.grant(
                self, "OtlpHeaders", name_or_arn=settings.otlp_headers_secret_arn, role=agent.role
            )
        if settings.langfuse_secret_arn:
            secret_access.grant(self, "Langfuse", name_or_arn=settings.langfuse_secret_arn, role=agent.role)
        for access in bedrock_access.accesses(
            settings.bedrock_model_id, partition=self.partition, region=self.region, account=self.account
        ):
            agent.role.add_to_policy(access.statement())

        endpoint = FunctionUrl(
            self,
            "Endpoint",
            target=agent.target,
            auth=auth,
            cors_origins=cors_origins,
            streaming=settings.streaming,
        )
        metrics = AgentMetrics(agent.function)
        Alarms(self, "Alarms", metrics=metrics, timeout=timeout, email=alarm_email)
        dashboard = Dashboard(self, "Watch", metrics=metrics, log_group=agent.log_group)

        CfnOutput(self, "FunctionUrl", value=endpoint.url)
        CfnOutput(self, "FunctionName", value=agent.function.function_name)
        CfnOutput(self, "LogGroupName", value=agent.log_group.log_group_name)
        CfnOutput(self, "DashboardUrl", value=dashboard.url)
        if bucket:
            CfnOutput(self, "SessionBucket", value=bucket.bucket.bucket_name)
