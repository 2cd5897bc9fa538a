"""Reading one secret, named by the user, that the stack never sees into."""

from aws_cdk import aws_iam as iam
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct


def grant(scope: Construct, construct_id: str, *, name_or_arn: str, role: iam.IRole) -> None:
    """Let a role read the value of a secret, and no other secret."""
    kind = secretsmanager.Secret
    of = kind.from_secret_complete_arn if name_or_arn.startswith("arn:") else kind.from_secret_name_v2
    of(scope, construct_id, name_or_arn).grant_read(role)
