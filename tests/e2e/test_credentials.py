"""`deploy` with the credentials and the region of a profile, against a fake of AWS; nothing is written."""

import os
import subprocess
import sys

import pytest

from tools.aws import cdk
from tools.local.http.server import HttpServer

CONFIG = """\
[profile prod]
region = us-west-2
aws_access_key_id = AKIAPROD
aws_secret_access_key = secret

[profile expired]
region = us-east-1
aws_access_key_id = AKIAEXPIRED
aws_secret_access_key = secret
aws_session_token = old
"""
IDENTITY = (
    b"<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::111122223333:user/u</Arn>"
    b"<Account>111122223333</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
)
EXPIRED = b"<ErrorResponse><Error><Code>ExpiredToken</Code><Message>expired</Message></Error></ErrorResponse>"
NOT_BOOTSTRAPPED = b'{"__type": "ParameterNotFound"}'


class FakeAws:
    """Knows who calls from the access key, and has no bootstrapped account."""

    def __init__(self):
        self.calls = []
        self.server = HttpServer(self.respond)

    def respond(self, exchange):
        exchange.body()
        scope = exchange.headers["authorization"].partition("Credential=")[2].partition(",")[0]
        key, _, region, service, _ = scope.split("/")
        self.calls.append((key, region, service))
        if key == "AKIAEXPIRED":
            exchange.answer(403, EXPIRED, "text/xml")
        elif service == "sts":
            exchange.answer(200, IDENTITY, "text/xml")
        else:
            exchange.answer(400, NOT_BOOTSTRAPPED, "application/x-amz-json-1.1")


@pytest.fixture
def aws():
    fake = FakeAws()
    fake.server.start()
    yield fake
    fake.server.stop()


@pytest.fixture
def deploy(aws, tmp_path):
    """Runs `deploy` with these arguments; returns the last line of its errors."""
    config = tmp_path / "config"
    config.write_text(CONFIG)
    kept = {name: os.environ[name] for name in ("HOME", "LANG", "PATH") if name in os.environ}
    environment = {
        **kept,
        "AWS_CONFIG_FILE": str(config),
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": aws.server.url,
        "LANGFUSE_PUBLIC_KEY": "pk-lf-1",
        "LANGFUSE_SECRET_KEY": "sk-lf-1",
    }

    def run(*words):
        ran = subprocess.run(
            [sys.executable, "-m", "tools.aws.deploy", *words],
            check=False,
            capture_output=True,
            cwd=cdk.ROOT,
            env=environment,
            encoding="utf-8",
            stdin=subprocess.DEVNULL,
        )
        assert ran.returncode == 1, ran.stdout + ran.stderr
        assert "Traceback" not in ran.stderr
        return ran.stderr.strip().splitlines()[-1]

    return run


def test_the_credentials_and_the_region_of_the_profile_are_used(aws, deploy):
    assert deploy("--profile", "prod") == (
        "error: account 111122223333 is not bootstrapped in us-west-2: "
        "run `hatch run cdk bootstrap aws://111122223333/us-west-2 --profile prod`"
    )
    assert {key for key, _, _ in aws.calls} == {"AKIAPROD"}
    assert ("AKIAPROD", "us-west-2", "ssm") in aws.calls
    assert not [service for _, _, service in aws.calls if service not in ("sts", "ssm")]


def test_an_expired_token_is_one_line_with_the_remedy(aws, deploy):
    assert deploy("--profile", "expired").startswith("error: the AWS credentials have expired: sign in again")
    assert {service for _, _, service in aws.calls} == {"sts"}


def test_a_wrong_profile_is_one_line_with_the_remedy(aws, deploy):
    assert deploy("--profile", "nobody") == (
        "error: The config profile (nobody) could not be found: use one of `aws configure list-profiles`"
    )
    assert aws.calls == []
