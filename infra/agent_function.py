"""The function: its code, its layers, its role and its logs."""

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra import network
from infra.context import LayerError
from infra.options import Options
from layers import RUNTIME as PYTHON
from layers import Layer, function_asset, undeployable_reason

RUNTIME = lambda_.Runtime(PYTHON, lambda_.RuntimeFamily.PYTHON, supports_snap_start=True)


_ASSETS: list[Path] = []
"""The assets that this process has assembled."""


class AgentFunction(Construct):
    """The Lambda function of an agent, with a role that can only write its log until more is granted."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        environment: dict[str, str],
        options: Options,
        key: kms.IKey | None,
        layers: Sequence[Layer],
        source: Path,
    ) -> None:
        super().__init__(scope, construct_id)
        self.name = name
        """The agent's name in `infra/app.py`."""
        self.log_group = self._log_group(options, key)
        self.role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        self.log_group.grant_write(self.role)
        self.function = lambda_.Function(
            self,
            "Function",
            description="A Strands agent, traced in Langfuse",
            runtime=RUNTIME,
            architecture=lambda_.Architecture.custom(options.architecture),
            handler="lambda_handler.handler",
            code=lambda_.Code.from_asset(str(_asset(source))),
            layers=[_layer(self, layer, layers) for layer in layers],
            environment=environment,
            environment_encryption=key,
            memory_size=options.memory_mb,
            timeout=cdk.Duration.seconds(options.timeout_s),
            role=self.role,
            log_group=self.log_group,
            logging_format=lambda_.LoggingFormat.JSON,
            reserved_concurrent_executions=options.reserved_concurrency,
            # An asynchronous invocation has no caller who could use a second answer.
            retry_attempts=0,
            runtime_management_mode=_runtime_version(options.runtime_version_arn),
            tracing=lambda_.Tracing.ACTIVE if options.xray else lambda_.Tracing.DISABLED,
            snap_start=lambda_.SnapStartConf.ON_PUBLISHED_VERSIONS if options.snapstart else None,
        )
        if key:
            self.role.add_to_policy(iam.PolicyStatement(actions=["kms:Decrypt"], resources=[key.key_arn]))
        if options.subnet_ids:
            network.connect(self.function, self.role, options.subnet_ids, options.security_group_ids)
        self._acknowledge(options)
        self.target = self._alias() if options.snapstart else self.function
        """What the URL calls: the function, or an alias on its published version."""

    def _log_group(self, options: Options, key: kms.IKey | None) -> logs.LogGroup:
        group = logs.LogGroup(
            self,
            "Logs",
            encryption_key=key,
            removal_policy=cdk.RemovalPolicy.RETAIN if options.retain else cdk.RemovalPolicy.DESTROY,
        )
        cast("logs.CfnLogGroup", group.node.default_child).retention_in_days = options.log_retention_days
        return group

    def _acknowledge(self, options: Options) -> None:
        cdk.Validations.of(self.function).acknowledge(
            cdk.Acknowledgment(
                id="AwsSolutions-L1",
                reason=f"The layers are locked and compiled for {PYTHON}, which is supported into 2029",
            )
        )
        if options.xray:
            cdk.Validations.of(self.role).acknowledge(
                cdk.Acknowledgment(
                    id="AwsSolutions-IAM5[Resource::*]", reason="X-Ray's actions take no resources"
                )
            )
        if options.snapstart:  # the alias is on a published version
            cdk.Annotations.of(self.function).acknowledge_warning(
                "@aws-cdk/aws-lambda:snapStartRequirePublish"
            )

    def _alias(self) -> lambda_.Alias:
        # Only published versions start from a snapshot.
        return lambda_.Alias(
            self, "Live", alias_name="live", version=self.function.current_version, retry_attempts=0
        )


def _runtime_version(arn: str) -> lambda_.RuntimeManagementMode | None:
    return lambda_.RuntimeManagementMode.manual(arn) if arn else None


def _layer(scope: Construct, layer: Layer, beside: Sequence[Layer]) -> lambda_.LayerVersion:
    if reason := undeployable_reason(layer, beside):
        raise LayerError(reason)
    return lambda_.LayerVersion(
        scope,
        f"Layer-{layer.name}",
        description=f"{layer.name} and its dependencies",
        code=lambda_.Code.from_asset(str(layer.zip)),
        compatible_runtimes=[RUNTIME],
        compatible_architectures=[lambda_.Architecture.custom(layer.architecture)],
    )


def _asset(source: Path) -> Path:
    """The agent's asset; modules that the last asset has, as the runtime's, are not compiled again."""
    _ASSETS.append(function_asset.assembled(source, _ASSETS[-1] if _ASSETS else None))
    return _ASSETS[-1]
