"""Deploys the stack: `hatch run deploy [-c key=value …]`, with what `cdk deploy` takes.

What would fail half-way is looked at before anything is created.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

import layers
from tools.aws import account, cdk, put_secret
from tools.command import ERR, OUT, Failure, run
from traced_agent.settings import Settings

Client = Callable[[str], Any]
"""Makes a client of the AWS service that it names."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Check, put the secret, deploy, and say how to call what was deployed."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    context = account.context(arguments)
    region = account.region(context.get("region"))
    environ = put_secret.desk()

    def client(service: str) -> Any:
        return account.client(service, region)

    with ERR.status("Checking the account …"):
        check_layers()
        check_account(client, region)
        if not os.environ.get("AWS_ENDPOINT_URL"):  # an emulator cannot know Bedrock's models
            check_model(client, _model(context, environ), region)
        secret = find_secret(client, context, environ, put_secret.given(environ))
    if secret and "langfuse_secret" not in context:
        arguments += ["-c", f"langfuse_secret={secret}"]
    outputs = _deploy(arguments, environ)
    if outputs:
        OUT.print(ready(outputs, auth=context.get("auth") or os.environ.get("AUTH"), region=region), **_PLAIN)
    return 0 if outputs is not None else 1


_PLAIN: dict[str, Any] = {"markup": False, "emoji": False, "highlight": False, "soft_wrap": True}


def _model(context: Mapping[str, str], environ: Mapping[str, str]) -> str:
    return context.get("model_id") or Settings.given("bedrock_model_id", environ) or Settings.bedrock_model_id


def check_layers(deployed: Sequence[layers.Layer] = layers.LAYERS) -> None:
    """Refuse layers that are not built, not current or not checked."""
    for layer in deployed:
        if reason := layers.undeployable_reason(layer, deployed):
            raise Failure(reason)


def check_account(client: Client, region: str) -> None:
    """Refuse credentials that do not work, and an account that the CDK was never bootstrapped in."""
    try:
        with account.explained():
            number = client("sts").get_caller_identity()["Account"]
            client("ssm").get_parameter(Name="/cdk-bootstrap/hnb659fds/version")
    except ClientError as error:
        if account.code(error) == "ParameterNotFound":
            raise Failure(
                f"account {number} is not bootstrapped in {region}: "
                f"run `hatch run cdk bootstrap aws://{number}/{region}`"
            ) from None
        ERR.print(f"The account could not be looked at ({error}); going on.", **_PLAIN)


def check_model(client: Client, model_id: str, region: str) -> None:
    """Refuse a model that Bedrock does not know in the region; who may not ask goes on unasked."""
    bedrock = client("bedrock")
    asks = (
        lambda: bedrock.get_inference_profile(inferenceProfileIdentifier=model_id),
        lambda: bedrock.get_foundation_model(modelIdentifier=model_id),
    )
    if not model_id.startswith("arn:") and all(map(_unknown, asks)):
        raise Failure(
            f"Bedrock has no {model_id} in {region}: choose one of "
            f"`aws bedrock list-inference-profiles --region {region}` with -c model_id=…"
        )


def _unknown(ask: Callable[[], Any]) -> bool:
    try:
        with account.explained():
            ask()
    except ClientError as error:
        return account.code(error) in ("ResourceNotFoundException", "ValidationException")
    return False


def find_secret(
    client: Client, context: Mapping[str, str], environ: Mapping[str, str], keys: Mapping[str, str]
) -> str | None:
    """The secret to deploy with: the one named, else ours, which is written when both keys are set.

    Raises:
        Failure: the secret that was named does not exist.
    """
    if context.get("otlp_endpoint") or Settings.given("otlp_endpoint", environ):
        _exists(
            client, context.get("otlp_headers_secret") or Settings.given("otlp_headers_secret_arn", environ)
        )
        return None
    named = context.get("langfuse_secret") or Settings.given("langfuse_secret_arn", environ)
    if named:
        return _exists(client, named)
    if len(keys) == len(put_secret.KEYS):
        put_secret.put(client("secretsmanager"), account.SECRET, keys)
        return account.SECRET
    try:
        return _exists(client, account.SECRET)
    except Failure:
        ERR.print(
            "No Langfuse keys are set and no secret is there: the function will run untraced.", **_PLAIN
        )
        return None


def _exists(client: Client, name: str | None) -> str | None:
    if not name:
        return None
    try:
        with account.explained():
            client("secretsmanager").describe_secret(SecretId=name)
    except ClientError as error:
        if account.code(error) == "ResourceNotFoundException":
            raise Failure(
                f"the secret {name} does not exist: run `hatch run put-secret --name {name}`, or name another"
            ) from None
    return name


def _deploy(arguments: Sequence[str], environ: Mapping[str, str]) -> dict[str, str] | None:
    """Run `cdk deploy`; the stack's outputs, or None if it failed."""
    approval = [] if "--require-approval" in " ".join(arguments) else ["--require-approval", "never"]
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "outputs.json"
        command = cdk.command("deploy", *approval, "--outputs-file", str(file), *arguments)
        environment = {**cdk.environment(), **environ}
        if subprocess.run(command, check=False, cwd=cdk.ROOT, env=environment).returncode:
            return None
        return dict(json.loads(file.read_bytes()).get(account.STACK, {})) if file.exists() else {}


def ready(outputs: Mapping[str, str], *, auth: str | None, region: str) -> str:
    """How to call what was deployed, ready to be pasted."""
    curl = ["curl", outputs["FunctionUrl"], "-H 'Content-Type: application/json'"]
    if auth == "iam":
        curl += [
            f"--aws-sigv4 aws:amz:{region}:lambda",
            '--user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY"',
            '-H "X-Amz-Security-Token: $AWS_SESSION_TOKEN"',
        ]
    return (
        f"\nFunction URL: {outputs['FunctionUrl']}\n\n"
        + " ".join([*curl, """-d '{"query": "What is 2+2?"}'"""])
        + '\nhatch run invoke "What is 2+2?"'
    )


if __name__ == "__main__":
    run(main)
