"""Where the function's model and its traces are: on this machine, or the user's own."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import boto3

from tools.aws.put_secret import KEYS
from tools.command import Failure
from tools.local.fakes.bedrock_server import FakeBedrock
from tools.local.fakes.langfuse_records import PROJECT_ID
from tools.local.fakes.langfuse_server import FakeLangfuse
from traced_agent.settings import Settings

_LANGFUSE = "local/langfuse"
_OTLP = "local/otlp-headers"
"""The names of the secrets in the emulated Secrets Manager."""
_PASSED_ON = ("langfuse_environment", "langfuse_release", "trace_sample_rate")
_CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


@dataclass(frozen=True)
class Backends:
    """What makes the function use them."""

    context: Mapping[str, str] = field(default_factory=dict)
    """For the deployment."""
    secrets: Mapping[str, str] = field(default_factory=dict)
    """For Secrets Manager, by name."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """For the function's process, in addition to those that are deployed."""


def traces(environ: Mapping[str, str], langfuse: FakeLangfuse) -> Backends:
    """The user's collector or Langfuse where the environment names one, else this receiver."""
    if endpoint := Settings.given("otlp_endpoint", environ):
        context, secrets = {"otlp_endpoint": endpoint}, dict[str, str]()
        if headers := Settings.given("otlp_headers", environ):
            context["otlp_headers_secret"] = _OTLP
            secrets[_OTLP] = headers
        return Backends(context, secrets)
    context = {name: value for name in _PASSED_ON if (value := Settings.given(name, environ))}
    context["langfuse_secret"] = _LANGFUSE
    keys = {name: environ[name] for name in KEYS if environ.get(name)}
    if len(keys) == len(KEYS):
        if host := Settings.given("langfuse_host", environ):
            context["langfuse_host"] = host
    else:
        keys = dict(zip(KEYS, (langfuse.public_key, langfuse.secret_key), strict=True))
        context["langfuse_host"] = langfuse.url
        context["langfuse_project"] = PROJECT_ID
    return Backends(context, {_LANGFUSE: json.dumps(keys)})


def model(environ: Mapping[str, str], bedrock: FakeBedrock, *, real: bool, region: str) -> Backends:
    """The real Bedrock, or the user's endpoint where the environment names one, else the fake.

    Raises:
        Failure: the real one is wanted and there are no credentials for it.
    """
    name = "AWS_ENDPOINT_URL_BEDROCK_RUNTIME"
    if real:
        service = environ.get(name) or f"https://bedrock-runtime.{region}.amazonaws.com"
        return Backends(environment={name: service, **_own_credentials(environ)})
    if endpoint := environ.get(name):
        signed = {key: environ.get(key, "") for key in _CREDENTIALS if environ.get("AWS_ACCESS_KEY_ID")}
        return Backends(environment={name: endpoint, **signed})
    return Backends(environment={name: bedrock.url})


def _own_credentials(environ: Mapping[str, str]) -> dict[str, str]:
    """The user's, from wherever boto3 finds them: variables, profile, single sign-on."""
    if token := environ.get("AWS_BEARER_TOKEN_BEDROCK"):
        return {"AWS_BEARER_TOKEN_BEDROCK": token}
    try:
        found = boto3.Session().get_credentials()
        frozen = found.get_frozen_credentials() if found else None
    except Exception as error:  # noqa: BLE001 - boto3 raises many kinds, and all mean this
        raise Failure(f"your AWS credentials cannot be used ({error}): log in again") from None
    if not frozen or not frozen.access_key or not frozen.secret_key:
        raise Failure("--bedrock needs AWS credentials: run `aws configure sso` or set AWS_PROFILE")
    return {
        "AWS_ACCESS_KEY_ID": frozen.access_key,
        "AWS_SECRET_ACCESS_KEY": frozen.secret_key,
        "AWS_SESSION_TOKEN": frozen.token or "",
    }
