"""The stack: an agent's function behind a URL, its permissions, and its alarms and dashboard."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import aws_cdk as cdk
from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_kms as kms
from constructs import Construct

from infra import bedrock_access, secret_access
from infra.agent_function import AgentFunction
from infra.agent_metrics import AgentMetrics
from infra.alarms import Alarms
from infra.dashboard import Dashboard
from infra.function_url import FunctionUrl
from infra.options import Options
from infra.record import StackRecord
from infra.session_bucket import SessionBucket
from layers import Layer
from traced_agent.settings import ALLOCATOR


class AgentStack(Stack):
    """All resources of one agent."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        record: StackRecord,
        options: Options,
        layers: Sequence[Layer],
        agent_source: Path,
        **stack: Any,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            description="A Strands agent, traced in Langfuse",
            termination_protection=options.retain,
            **stack,
        )
        # The CDK writes out dependencies that CloudFormation finds by itself.
        self.template_options.metadata = {
            "cfn-lint": {"config": {"ignore_checks": ["W3005"]}},
            **record.metadata(),
        }
        settings = options.settings()
        key = kms.Key.from_key_arn(self, "Key", options.kms_key) if options.kms_key else None
        bucket = SessionBucket(self, "Sessions", retain=options.retain, key=key) if options.sessions else None
        if bucket:
            settings = replace(settings, session_bucket=bucket.bucket.bucket_name)

        self.agent = AgentFunction(
            self,
            "Agent",
            name=record.agent,
            environment={**ALLOCATOR, **settings.to_env()},
            options=options,
            key=key,
            layers=layers,
            source=agent_source,
        )
        if bucket:
            bucket.grant(self.agent.role)
        for secret in filter(None, (settings.langfuse_secret_arn, settings.otlp_headers_secret_arn)):
            secret_access.grant(secret, role=self.agent.role)
        bedrock_access.grant_settings(settings, role=self.agent.role)

        endpoint = FunctionUrl(
            self,
            "Endpoint",
            target=self.agent.target,
            auth=options.auth,
            cors_origins=options.cors_origins,
            streaming=settings.streaming,
        )
        metrics = AgentMetrics(self.agent.function)
        Alarms(
            self,
            "Alarms",
            metrics=metrics,
            timeout=cdk.Duration.seconds(options.timeout_s),
            export_s=settings.trace_export_timeout_s,
            email=options.alarm_email,
            key=key,
            tokens=options.auth == "jwt",
        )
        dashboard = Dashboard(
            self, "Watch", metrics=metrics, log_group=self.agent.log_group, snapstart=options.snapstart
        )

        CfnOutput(self, "FunctionUrl", value=endpoint.url)
        CfnOutput(self, "FunctionName", value=self.agent.function.function_name)
        CfnOutput(self, "LogGroupName", value=self.agent.log_group.log_group_name)
        CfnOutput(self, "DashboardUrl", value=dashboard.url)
        if bucket:
            CfnOutput(self, "SessionBucket", value=bucket.bucket.bucket_name)
