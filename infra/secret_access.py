"""Reading one secret, named by the user, that the stack never sees into."""

import re

import aws_cdk as cdk
from aws_cdk import aws_iam as iam


def grant(name_or_arn: str, *, role: iam.Role) -> None:
    """Let a role read the value of a secret, and no other secret."""
    role.add_to_policy(
        iam.PolicyStatement(
            actions=["secretsmanager:GetSecretValue"],
            resources=[arn(name_or_arn, cdk.Stack.of(role))],
        )
    )


def arn(name_or_arn: str, stack: cdk.Stack) -> str:
    """The secret's ARN; AWS ends it in six characters of its own, which only a complete ARN tells."""
    if re.fullmatch(r"arn:.*-[a-zA-Z0-9]{6}", name_or_arn):
        return name_or_arn
    if not name_or_arn.startswith("arn:"):
        name_or_arn = stack.format_arn(
            service="secretsmanager",
            resource="secret",
            resource_name=name_or_arn,
            arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
        )
    return f"{name_or_arn}-??????"
