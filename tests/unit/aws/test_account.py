"""What is wrong with the account is told in one line."""

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError, ProfileNotFound

from tools.aws import account
from tools.command import Failure
from tools.local.http.exchange import HttpExchange
from tools.local.http.server import HttpServer


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (NoCredentialsError(), "no AWS credentials were found: run `aws configure`"),
        (ProfileNotFound(profile="work"), "use one of `aws configure list-profiles`"),
        (EndpointConnectionError(endpoint_url="https://sts"), "check the network"),
        (
            ClientError({"Error": {"Code": "ExpiredToken"}}, "GetCallerIdentity"),
            "have expired: sign in again",
        ),
        (ClientError({"Error": {"Code": "InvalidClientTokenId"}}, "GetCallerIdentity"), "sign in again"),
    ],
)
def test_an_error_of_credentials_or_network_names_the_remedy(error: Exception, says: str) -> None:
    with pytest.raises(Failure) as failure, account.explained():
        raise error

    assert says in str(failure.value)
    assert "\n" not in str(failure.value)


def test_other_answers_of_aws_pass() -> None:
    with pytest.raises(ClientError), account.explained():
        raise ClientError({"Error": {"Code": "AccessDenied"}}, "GetParameter")


def test_a_profile_that_does_not_exist_is_rejected_before_anything_else() -> None:
    with pytest.raises(Failure, match="use one of `aws configure list-profiles`"):
        account.Account("no-such-profile").default_region()


def test_the_default_region_is_the_environments_or_the_profiles(tmp_path, monkeypatch) -> None:
    config = tmp_path / "config"
    config.write_text("[profile prod]\nregion = us-west-2\n[profile other]\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))

    assert account.Account("prod").default_region() == "us-west-2"
    assert account.Account("other").default_region() == ""
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    assert account.Account("prod").default_region() == "eu-west-1"


def instance_metadata(exchange: HttpExchange) -> None:
    """Answer as an EC2 instance in eu-north-1 does, to a request with a session token."""
    token, placed = "a-token", exchange.path.endswith("/placement/availability-zone/")
    if exchange.method == "GET":
        known = placed and exchange.headers["x-aws-ec2-metadata-token"] == token
        exchange.answer(200, b"eu-north-1b" if known else b"")
    else:
        exchange.answer(200, token.encode())


def test_on_an_ec2_instance_the_default_region_is_the_instances(monkeypatch) -> None:
    with HttpServer(instance_metadata) as server:
        monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", server.url)

        assert account.Account().default_region() == "eu-north-1"


def test_the_region_is_the_stacks_and_the_profile_stays() -> None:
    assert account.Account("prod").in_region("eu-west-1") == account.Account("prod", "eu-west-1")
