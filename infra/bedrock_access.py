"""The permissions to invoke a model id, and no others.

Sources: "Supported Regions and models for inference profiles" and "Prerequisites for inference profiles"
in the Amazon Bedrock user guide.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aws_cdk import aws_iam as iam


from traced_agent.settings import NO_BEDROCK_MODEL, Settings

ACTIONS = ("bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream")

GEOGRAPHIES: Mapping[str, tuple[str, ...]] = {
    "us": ("us-east-1", "us-east-2", "us-west-1", "us-west-2"),
    "eu": (
        "eu-central-1", "eu-central-2", "eu-north-1", "eu-south-1",
        "eu-south-2", "eu-west-1", "eu-west-2", "eu-west-3",
    ),
    "apac": (
        "ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1",
        "ap-south-2", "ap-southeast-1", "ap-southeast-2", "ap-southeast-4",
    ),
    "ca": ("ca-central-1", "ca-west-1"),
    "jp": ("ap-northeast-1", "ap-northeast-3"),
    "au": ("ap-southeast-2", "ap-southeast-4"),
    "us-gov": ("us-gov-east-1", "us-gov-west-1"),
}  # fmt: skip
"""The regions that a cross-region inference profile is called from and may route to, by its prefix."""

WILDCARD = "The inference profile chooses the region, and only calls through it are allowed"

_PROFILE = re.compile(rf"(?P<geography>global|{'|'.join(GEOGRAPHIES)})\.(?P<model>.+)")
_ARN = re.compile(r"arn:aws[a-z-]*:bedrock:(?P<region>[a-z0-9-]+):\d*:(?P<kind>[a-z-]+)/(?P<id>.+)")
_OTHER_PARTITIONS = ("cn-", "us-gov-")
_EXACT = ("provisioned-model", "imported-model", "custom-model-deployment")


class ModelError(ValueError):
    """A model id that is not valid, or not available in the region; the message names an alternative."""


@dataclass(frozen=True)
class Access:
    """Resources that can be invoked, with `through` only through that inference profile."""

    resources: tuple[str, ...]
    through: str | None = None

    def statement(self) -> "iam.PolicyStatement":
        """This access as a statement of a role's policy."""
        from aws_cdk import aws_iam as iam  # noqa: PLC0415 - the options are validated without the CDK

        condition = {"ArnEquals": {"bedrock:InferenceProfileArn": self.through}} if self.through else None
        return iam.PolicyStatement(
            actions=list(ACTIONS), resources=list(self.resources), conditions=condition
        )


def grant(model_id: str, *, role: "iam.Role") -> None:
    """Allow a role to invoke a model id, from the region of its stack."""
    import aws_cdk as cdk  # noqa: PLC0415 - the options are validated without the CDK

    stack = cdk.Stack.of(role)
    for access in accesses(model_id, partition=stack.partition, region=stack.region, account=stack.account):
        role.add_to_policy(access.statement())
    partition = "<AWS::Partition>" if cdk.Token.is_unresolved(stack.partition) else stack.partition
    cdk.Validations.of(role).acknowledge(
        *(
            cdk.Acknowledgment(id=f"AwsSolutions-IAM5[Resource::{resource}]", reason=WILDCARD)
            for access in accesses(model_id, partition=partition, region="", account="")
            for resource in access.resources
            if "*" in resource
        )
    )


def grant_settings(settings: Settings, *, role: "iam.Role") -> None:
    """Allow a role what the settings use of Bedrock: the models, the guardrail and the knowledge base."""
    import aws_cdk as cdk  # noqa: PLC0415 - the options are validated without the CDK
    from aws_cdk import aws_iam as iam  # noqa: PLC0415

    stack = cdk.Stack.of(role)
    for model_id in filter(None, (settings.bedrock_model_id, settings.fallback_model_id)):
        if model_id != NO_BEDROCK_MODEL:
            grant(model_id, role=role)
    resource = f"arn:{stack.partition}:bedrock:{stack.region}:{stack.account}"
    if settings.guardrail:
        guardrail = f"{resource}:guardrail/{settings.guardrail.partition(':')[0]}"
        role.add_to_policy(iam.PolicyStatement(actions=["bedrock:ApplyGuardrail"], resources=[guardrail]))
    if settings.knowledge_base_id:
        knowledge_base = f"{resource}:knowledge-base/{settings.knowledge_base_id}"
        role.add_to_policy(iam.PolicyStatement(actions=["bedrock:Retrieve"], resources=[knowledge_base]))


def check(model_id: str, region: str) -> None:
    """Reject a model id whose name shows that it cannot be invoked from a region.

    Raises:
        ModelError: in one line, with an alternative.
    """
    if not re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9._:/-]+", model_id):
        raise ModelError(
            f"model_id={model_id} is not the id of a Bedrock model: use an id like us.anthropic.claude-…"
        )
    if model_id.startswith("arn:"):
        arn = _ARN.fullmatch(model_id)
        if not arn:
            raise ModelError(f"model_id={model_id} is not the ARN of a Bedrock model or inference profile")
        if arn["region"] != region:
            raise ModelError(f"model_id={model_id} is not in {region}: use -c region={arn['region']}")
    profile = _PROFILE.fullmatch(model_id)
    if profile and not _is_offered(profile["geography"], region):
        raise ModelError(
            f"model_id={model_id} is not available in {region}: "
            + _alternative(profile["geography"], profile["model"], region)
        )


def _is_offered(geography: str, region: str) -> bool:
    if geography == "global":  # every commercial region
        return not region.startswith(_OTHER_PARTITIONS)
    return region in GEOGRAPHIES[geography]


def _alternative(geography: str, model: str, region: str) -> str:
    if region.startswith(_OTHER_PARTITIONS):  # few models are available there: a name would be a guess
        return f"choose one of `aws bedrock list-inference-profiles --region {region}`"
    near = next((name for name, regions in GEOGRAPHIES.items() if region in regions), "global")
    return f"use -c model_id={near}.{model}, or -c region={GEOGRAPHIES[geography][0]}"


def accesses(model_id: str, *, partition: str, region: str, account: str) -> tuple[Access, ...]:
    """The resources behind a model id: the model itself, or a profile and its destinations."""
    if arn := _ARN.fullmatch(model_id):
        if arn["kind"] in _EXACT:
            return (Access((model_id,)),)
        if arn["kind"] == "application-inference-profile":
            # The ARN does not name its models, so any model is allowed, but only through this profile.
            return Access((model_id,)), Access((_model("*", partition, "*"),), through=model_id)
        model_id = arn["id"]
    if profile := _PROFILE.fullmatch(model_id):
        through = f"arn:{partition}:bedrock:{region}:{account}:inference-profile/{model_id}"
        destinations = _destinations(profile["geography"], profile["model"], partition)
        return Access((through,)), Access(destinations, through=through)
    return (Access((_model(region, partition, model_id),)),)


def _destinations(geography: str, model: str, partition: str) -> tuple[str, ...]:
    # A global profile routes to every commercial region, and to a resource without a region.
    regions = ("", "*") if geography == "global" else GEOGRAPHIES[geography]
    return tuple(_model(region, partition, model) for region in regions)


def _model(region: str, partition: str, model: str) -> str:
    return f"arn:{partition}:bedrock:{region}::foundation-model/{model}"
