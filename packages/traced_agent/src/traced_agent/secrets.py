"""Secrets of AWS Secrets Manager, for your `build_model` and your tools.

    from traced_agent.secrets import read_json

    api_key = read_json(os.environ["API_KEY_SECRET_ARN"], "api_key")["api_key"]

A secret is read once per execution environment. The function's role needs `secretsmanager:GetSecretValue` on
it: `infra/resources.py` grants it.
"""

import os
from typing import Any

from traced_agent.aws.boto3_session import shared_session
from traced_agent.aws.secret import Secret, SecretError
from traced_agent.settings import Settings

__all__ = ["SecretError", "read_json"]

_secrets: dict[str, Secret] = {}


def read_json(arn: str, *keys: str) -> dict[str, Any]:
    """Read a secret that contains a JSON object.

    Args:
        arn: the secret's ARN, or its name in the function's region.
        keys: must be in the object and not empty.

    Returns:
        The object.

    Raises:
        SecretError: the secret cannot be read, is not a JSON object, or lacks a key; the message names it,
            and never contains a value.
    """
    region = Settings.from_env(os.environ).bedrock_region
    secret = _secrets.setdefault(arn, Secret(arn, lambda: shared_session(region)))
    content = secret.json()
    if missing := [key for key in keys if not content.get(key)]:
        raise secret.error(f"has no {' and no '.join(missing)}: it must be a JSON object with these keys")
    if not content:
        raise secret.error("is empty or not a JSON object: write a JSON object into it")
    return content
