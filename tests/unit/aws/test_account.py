"""What is wrong with the account is told in one line."""

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError, ProfileNotFound

from infra.options import Options
from tools.aws import account
from tools.command import Failure


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (NoCredentialsError(), "no AWS credentials were found: run `aws configure`"),
        (ProfileNotFound(profile="work"), "set AWS_PROFILE"),
        (EndpointConnectionError(endpoint_url="https://sts"), "check the network"),
        (
            ClientError({"Error": {"Code": "ExpiredToken"}}, "GetCallerIdentity"),
            "have expired: sign in again",
        ),
        (ClientError({"Error": {"Code": "InvalidClientTokenId"}}, "GetCallerIdentity"), "sign in again"),
    ],
)
def test_trouble_with_credentials_or_network_says_what_to_do(error: Exception, says: str) -> None:
    with pytest.raises(Failure) as failure, account.explained():
        raise error

    assert says in str(failure.value)
    assert "\n" not in str(failure.value)


def test_other_answers_of_aws_pass() -> None:
    with pytest.raises(ClientError), account.explained():
        raise ClientError({"Error": {"Code": "AccessDenied"}}, "GetParameter")


@pytest.mark.parametrize(
    ("arguments", "context"),
    [
        ([], {}),
        (["-c", "auth=iam", "--context", "xray=true"], {"auth": "iam", "xray": "true"}),
        (["--context=auth=iam", "-cxray=true"], {"auth": "iam", "xray": "true"}),
        (["-c=page=false"], {"page": "false"}),
        (["--ci", "-c", "otlp_endpoint=https://x/?a=b", "-v"], {"otlp_endpoint": "https://x/?a=b"}),
        (["-c"], {}),
    ],
)
def test_context_is_read_as_the_cli_reads_it(arguments: list[str], context: dict[str, str]) -> None:
    assert {key: value for key, value in account.context(arguments).items() if key} == context


def test_the_region_is_the_stacks() -> None:
    assert account.region("eu-west-1", {"AWS_REGION": "us-west-2"}) == "eu-west-1"
    assert account.region(None, {"AWS_REGION": "us-west-2", "AWS_DEFAULT_REGION": "us-east-2"}) == "us-west-2"
    assert account.region(None, {}) == Options().region


def test_the_stack_is_the_apps() -> None:
    assert Options().stack_name == account.STACK
