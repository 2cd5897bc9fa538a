"""The AWS account that a command acts in, and what is wrong with it, in one line."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    CredentialRetrievalError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)

from tools.command import Failure
from traced_agent.settings import Settings

STACK = "strands-langfuse-lambda"
"""The name of the deployed stack."""

SECRET = f"{STACK}/langfuse"
"""The name of the secret that `put-secret` writes, where none is given."""

_SIGN_IN = "sign in again (`aws sso login`, or new AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY)"
_REMEDIES = {
    "ExpiredToken": f"the AWS credentials have expired: {_SIGN_IN}",
    "ExpiredTokenException": f"the AWS credentials have expired: {_SIGN_IN}",
    "RequestExpired": "the AWS credentials have expired, or this machine's clock is wrong: check both",
    "InvalidClientTokenId": f"AWS does not know these credentials: {_SIGN_IN}",
    "UnrecognizedClientException": f"AWS does not know these credentials: {_SIGN_IN}",
    "SignatureDoesNotMatch": f"AWS refuses these credentials: {_SIGN_IN}",
}


def region(given: str | None = None, environ: Mapping[str, str] = os.environ) -> str:
    """The region to act in, as the stack chooses it: what is given, the environment's, the default."""
    named = (given, environ.get("AWS_REGION"), environ.get("AWS_DEFAULT_REGION"), Settings.bedrock_region)
    return next(name for name in named if name)


def context(arguments: Sequence[str]) -> dict[str, str]:
    """What `-c key=value`, or the CLI's longer spellings of it, give on a command line."""
    pairs = []
    for word, following in pairwise([*arguments, ""]):
        if word in ("-c", "--context"):
            pairs.append(following)
        elif word.startswith("--context="):
            pairs.append(word.removeprefix("--context="))
        elif word.startswith("-c") and "=" in word:
            pairs.append(word.removeprefix("-c").removeprefix("="))
    return {key: value for key, _, value in (pair.partition("=") for pair in pairs)}


def client(service: str, region: str) -> Any:
    """A client of an AWS service, quick to say that it cannot reach it."""
    with explained():
        return boto3.Session(region_name=region).client(
            service, config=Config(connect_timeout=10, read_timeout=30, retries={"total_max_attempts": 2})
        )


@contextmanager
def explained() -> Iterator[None]:
    """Tell what is wrong with credentials or network as a `Failure`; AWS's other answers pass through."""
    try:
        yield
    except (NoCredentialsError, PartialCredentialsError):
        raise Failure(
            "no AWS credentials were found: run `aws configure` or `aws sso login`, or set AWS_PROFILE"
        ) from None
    except ProfileNotFound as error:
        raise Failure(f"{error}: set AWS_PROFILE to one of `aws configure list-profiles`") from None
    except (SSOError, TokenRetrievalError, UnauthorizedSSOTokenError, CredentialRetrievalError):
        raise Failure(f"the AWS credentials could not be renewed: {_SIGN_IN}") from None
    except (EndpointConnectionError, HTTPClientError) as error:
        raise Failure(f"AWS was not reached ({error}): check the network and the region") from None
    except ClientError as error:
        if remedy := _REMEDIES.get(code(error)):
            raise Failure(remedy) from None
        raise


def code(error: ClientError) -> str:
    """AWS's name for an error."""
    return str(error.response.get("Error", {}).get("Code", ""))


def outputs(region: str) -> dict[str, str]:
    """The outputs of the deployed stack.

    Raises:
        Failure: there is none in that region, and what to do.
    """
    try:
        with explained():
            (stack,) = client("cloudformation", region).describe_stacks(StackName=STACK)["Stacks"]
    except ClientError as error:
        if code(error) == "ValidationError":
            raise Failure(
                f"nothing is deployed in {region}: run `hatch run deploy`, or give --region or --url"
            ) from None
        raise Failure(f"the stack was not found: {error}") from None
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", ())}
