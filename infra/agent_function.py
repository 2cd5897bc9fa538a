"""The function: its code, its layers, its role and its logs."""

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from layers import ARCHITECTURE as MACHINE
from layers import RUNTIME as PYTHON
from layers import Layer, function_asset, undeployable_reason

RUNTIME = lambda_.Runtime(PYTHON, lambda_.RuntimeFamily.PYTHON, supports_snap_start=True)
ARCHITECTURE = lambda_.Architecture.custom(MACHINE)


class LayerError(RuntimeError):
    """A layer that cannot be deployed; the message names it and the command to run."""


class AgentFunction(Construct):
    """The Lambda function that answers, with a role that may do nothing yet but write its log."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: dict[str, str],
        memory_mb: int,
        timeout: cdk.Duration,
        log_retention_days: int,
        reserved_concurrency: int | None,
        xray: bool,
        snapstart: bool,
        layers: Sequence[Layer],
        agent_source: Path,
    ) -> None:
        super().__init__(scope, construct_id)
        self.log_group = logs.LogGroup(self, "Logs", removal_policy=cdk.RemovalPolicy.DESTROY)
        cast("logs.CfnLogGroup", self.log_group.node.default_child).retention_in_days = log_retention_days
        self.role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        self.log_group.grant_write(self.role)
        self.function = lambda_.Function(
            self,
            "Function",
            description="A Strands agent, every run traced",
            runtime=RUNTIME,
            architecture=ARCHITECTURE,
            handler="lambda_handler.handler",
            code=lambda_.Code.from_asset(str(function_asset.assembled(agent_source))),
            layers=[_layer(self, layer, layers) for layer in layers],
            environment=environment,
            memory_size=memory_mb,
            timeout=timeout,
            role=self.role,
            log_group=self.log_group,
            logging_format=lambda_.LoggingFormat.JSON,
            reserved_concurrent_executions=reserved_concurrency,
            tracing=lambda_.Tracing.ACTIVE if xray else lambda_.Tracing.DISABLED,
            snap_start=lambda_.SnapStartConf.ON_PUBLISHED_VERSIONS if snapstart else None,
        )
        cdk.Validations.of(self.function).acknowledge(
            cdk.Acknowledgment(
                id="AwsSolutions-L1",
                reason=f"{PYTHON} is what the layers are locked and compiled for; supported into 2029",
            )
        )
        if xray:
            cdk.Validations.of(self.role).acknowledge(
                cdk.Acknowledgment(
                    id="AwsSolutions-IAM5[Resource::*]", reason="X-Ray's actions know no resources"
                )
            )
        if snapstart:  # the alias below is on a published version
            cdk.Annotations.of(self.function).acknowledge_warning(
                "@aws-cdk/aws-lambda:snapStartRequirePublish"
            )
        self.target = self._alias() if snapstart else self.function
        """What is called: the function, or an alias on its published version."""

    def _alias(self) -> lambda_.Alias:
        # Only published versions start from a snapshot.
        return lambda_.Alias(self, "Live", alias_name="live", version=self.function.current_version)


def _layer(scope: Construct, layer: Layer, beside: Sequence[Layer]) -> lambda_.LayerVersion:
    if reason := undeployable_reason(layer, beside):
        raise LayerError(reason)
    return lambda_.LayerVersion(
        scope,
        f"Layer-{layer.name}",
        description=f"{layer.name} and what it needs",
        code=lambda_.Code.from_asset(str(layer.zip)),
        compatible_runtimes=[RUNTIME],
        compatible_architectures=[ARCHITECTURE],
    )
