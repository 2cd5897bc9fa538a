"""The checks before a deploy: what would fail half-way is found before anything is written."""

from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from tools.aws import account
from tools.aws.assembly import StackPlan
from tools.aws.stacks import Client
from tools.command import ERR, PLAIN, Failure


def check_account(client: Client, plan: StackPlan, profile: str | None = None) -> None:
    """Reject credentials that do not work, and an account that is not bootstrapped in the region.

    Raises:
        Failure: with the command to run.
    """
    number = "ACCOUNT"
    try:
        with account.explained():
            number = client("sts").get_caller_identity()["Account"]
            client("ssm").get_parameter(Name=plan.bootstrap_parameter)
    except ClientError as error:
        if account.code(error) == "ParameterNotFound":
            raise Failure(
                f"account {number} is not bootstrapped in {plan.region}: "
                f"run `hatch run cdk bootstrap aws://{number}/{plan.region}{_options(plan, profile)}`"
            ) from None
        ERR.print(f"The account could not be checked ({account.code(error)}); the deploy continues.", **PLAIN)


def _options(plan: StackPlan, profile: str | None) -> str:
    qualifier = plan.bootstrap_parameter.strip("/").split("/")[1]
    words = [] if qualifier == "hnb659fds" else [f"--qualifier {qualifier}"]
    words += [f"--profile {profile}"] if profile else []
    return "".join(f" {word}" for word in words)


def check_model(client: Client, model_id: str, region: str) -> None:
    """Reject a model that Bedrock does not have in the region; without permission to ask, nothing is checked.

    Raises:
        Failure: with the command that lists the models.
    """
    bedrock = client("bedrock")
    requests = (
        lambda: bedrock.get_inference_profile(inferenceProfileIdentifier=model_id),
        lambda: bedrock.get_foundation_model(modelIdentifier=model_id),
    )
    if not model_id.startswith("arn:") and all(map(_is_unknown, requests)):
        raise Failure(
            f"Bedrock has no {model_id} in {region}: choose one of "
            f"`aws bedrock list-inference-profiles --region {region}` with -c model_id=MODEL"
        )


def _is_unknown(request: Callable[[], Any]) -> bool:
    try:
        with account.explained():
            request()
    except ClientError as error:
        return account.code(error) in ("ResourceNotFoundException", "ValidationException")
    return False


def secret_exists(client: Client, name: str) -> bool:
    """Whether a secret exists; without permission to ask, it is taken to exist."""
    try:
        with account.explained():
            client("secretsmanager").describe_secret(SecretId=name)
    except ClientError as error:
        return account.code(error) != "ResourceNotFoundException"
    return True


def check_secrets(client: Client, options: Mapping[str, Any]) -> None:
    """Reject a secret that is named in the options and does not exist.

    Raises:
        Failure: with the command that writes it.
    """
    key = "otlp_headers_secret" if options.get("otlp_endpoint") else "langfuse_secret"
    name = options.get(key)
    if name and not secret_exists(client, name):
        remedy = (
            f"run `hatch run put-secret --name {name}`, or name another"
            if key == "langfuse_secret"
            else f"create it, or name another with -c {key}=NAME"
        )
        raise Failure(f"the secret {name} does not exist: {remedy}")
