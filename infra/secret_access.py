"""Read access to one secret, which the owner names and the stack does not read."""

import re

import aws_cdk as cdk
from aws_cdk import aws_iam as iam


def grant(name_or_arn: str, *, role: iam.Role) -> None:
    """Allow a role to read the value of a secret, and of no other secret."""
    role.add_to_policy(
        iam.PolicyStatement(
            actions=["secretsmanager:GetSecretValue"], resources=arns(name_or_arn, cdk.Stack.of(role))
        )
    )


def arns(name_or_arn: str, stack: cdk.Stack) -> list[str]:
    """The ARNs that a secret with this name or ARN can have.

    Secrets Manager ends an ARN with a hyphen and six characters. A partial ARN whose name ends like that
    (`my-secret`) looks complete, so both readings are allowed.
    """
    if not name_or_arn.startswith("arn:"):
        name_or_arn = stack.format_arn(
            service="secretsmanager",
            resource="secret",
            resource_name=name_or_arn,
            arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
        )
        return [f"{name_or_arn}-??????"]
    complete = [name_or_arn] if re.search(r"-[a-zA-Z0-9]{6}$", name_or_arn) else []
    return [*complete, f"{name_or_arn}-??????"]
