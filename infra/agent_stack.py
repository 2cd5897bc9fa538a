"""The stack: an agent's function behind a URL, with what it may reach and what watches it."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
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
from layers import Layer
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
        layers: Sequence[Layer],
        agent_source: Path,
        **stack: Any,
    ) -> None:
        super().__init__(scope, construct_id, **stack)
        # The CDK spells out dependencies that CloudFormation sees for itself.
        self.template_options.metadata = {"cfn-lint": {"config": {"ignore_checks": ["W3005"]}}}
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
            layers=layers,
            agent_source=agent_source,
        )
        if bucket:
            bucket.grant(agent.role)
        for secret in filter(None, (settings.langfuse_secret_arn, settings.otlp_headers_secret_arn)):
            secret_access.grant(secret, role=agent.role)
        bedrock_access.grant(settings.bedrock_model_id, role=agent.role)

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
