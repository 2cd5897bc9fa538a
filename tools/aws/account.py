"""The AWS account that a command acts in; an error of credentials or network is one line with a remedy."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Self

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
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
from botocore.utils import IMDSRegionProvider

from tools.command import Failure

_SIGN_IN = "sign in again (`aws sso login`, or new AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY)"
_REMEDIES = {
    "ExpiredToken": f"the AWS credentials have expired: {_SIGN_IN}",
    "ExpiredTokenException": f"the AWS credentials have expired: {_SIGN_IN}",
    "RequestExpired": "the AWS credentials have expired, or this machine's clock is wrong: check both",
    "InvalidClientTokenId": f"AWS does not know these credentials: {_SIGN_IN}",
    "UnrecognizedClientException": f"AWS does not know these credentials: {_SIGN_IN}",
    "SignatureDoesNotMatch": f"AWS rejects these credentials: {_SIGN_IN}",
}


@dataclass(frozen=True)
class Account:
    """An account, by the profile whose credentials are used, and a region of it."""

    profile: str | None = None
    region: str = "us-east-1"

    def in_region(self, region: str) -> Self:
        """The same account in another region."""
        return replace(self, region=region)

    def session(self) -> Any:
        """A boto3 session.

        Raises:
            Failure: the profile does not exist.
        """
        with explained():
            return boto3.Session(profile_name=self.profile, region_name=self.region)

    def default_region(self) -> str:
        """The region that the CDK CLI passes to the app: the profile's, or on EC2 the instance's; else empty.

        Raises:
            Failure: the profile does not exist, with the command that lists the profiles.
        """
        with explained():
            configured = boto3.Session(profile_name=self.profile).region_name
            found = os.environ.get("AWS_REGION") or configured
            return str(found or IMDSRegionProvider(botocore.session.Session()).provide() or "")

    def client(self, service: str) -> Any:
        """A client of an AWS service, with short timeouts."""
        with explained():
            return self.session().client(
                service, config=Config(connect_timeout=10, read_timeout=30, retries={"total_max_attempts": 2})
            )


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """Raise errors of credentials and network as a `Failure`; AWS's other errors pass through."""
    try:
        yield
    except (NoCredentialsError, PartialCredentialsError):
        raise Failure(
            "no AWS credentials were found: run `aws configure` or `aws sso login`, or set AWS_PROFILE"
        ) from None
    except ProfileNotFound as error:
        raise Failure(f"{error}: use one of `aws configure list-profiles`") from None
    except (SSOError, TokenRetrievalError, UnauthorizedSSOTokenError, CredentialRetrievalError):
        raise Failure(f"the AWS credentials could not be renewed: {_SIGN_IN}") from None
    except (EndpointConnectionError, HTTPClientError) as error:
        raise Failure(f"AWS was not reached ({error}): check the network and the region") from None
    except ClientError as error:
        if remedy := _REMEDIES.get(code(error)):
            raise Failure(remedy) from None
        raise
    except BotoCoreError as error:
        raise Failure(f"the AWS configuration cannot be used ({error}): check ~/.aws/config") from None


def code(error: ClientError) -> str:
    """AWS's name for an error."""
    return str(error.response.get("Error", {}).get("Code", ""))
