"""The choice of the secret, and what a deploy prints."""

import pytest

from tools.aws import deploy, put_secret
from tools.aws.account import Account
from tools.aws.arguments import Target

KEYS = {"LANGFUSE_PUBLIC_KEY": "pk", "LANGFUSE_SECRET_KEY": "sk"}


class FakeAccount(Account):
    """An account whose services are a fake."""

    def __init__(self, aws) -> None:
        object.__setattr__(self, "client", aws)


@pytest.fixture
def target(make_plan, tmp_path):
    return lambda aws, **options: Target(make_plan(**options), FakeAccount(aws), tmp_path)


def test_keys_that_are_set_make_the_function_read_the_default_secret(fake_aws, target) -> None:
    aws = fake_aws(describe_secret="ResourceNotFoundException")

    assert deploy.use_default_secret(target(aws), KEYS)
    assert "create_secret" not in aws.called  # it is written after every check


def test_without_keys_a_secret_that_exists_stays_in_use(fake_aws, target) -> None:
    assert deploy.use_default_secret(target(fake_aws()), {})


def test_without_keys_or_secret_the_function_runs_untraced(fake_aws, target, capsys) -> None:
    aws = fake_aws(describe_secret="ResourceNotFoundException")

    assert not deploy.use_default_secret(target(aws), {})
    assert "untraced" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options", [{"otlp_endpoint": "https://traces.example.com"}, {"langfuse_secret": "my/own-secret"}]
)
def test_with_otlp_or_a_named_secret_the_default_secret_is_not_touched(fake_aws, target, options) -> None:
    aws = fake_aws()

    assert not deploy.use_default_secret(target(aws, **options), KEYS)
    assert aws.called == []


def test_an_explicit_default_secret_is_written_too(fake_aws, target) -> None:
    assert deploy.use_default_secret(target(fake_aws(), default_secret=True), KEYS)


def test_one_key_alone_is_not_used() -> None:
    assert put_secret.keys_of({"LANGFUSE_PUBLIC_KEY": "pk"}) == {}
    assert put_secret.keys_of(KEYS) == KEYS


@pytest.mark.parametrize("auth", ["none", "iam", "jwt"])
def test_the_curl_line_has_what_the_url_requires(make_plan, auth: str) -> None:
    line = deploy.ready({"FunctionUrl": "https://x.lambda-url/"}, make_plan(auth=auth, region="us-west-2"))

    assert "curl https://x.lambda-url/ -H 'Content-Type: application/json'" in line
    assert ("--aws-sigv4 aws:amz:us-west-2:lambda" in line) is (auth == "iam")
    assert ("Authorization: Bearer $TOKEN" in line) is (auth == "jwt")


def test_the_invoke_line_repeats_the_options(make_plan) -> None:
    line = deploy.ready({"FunctionUrl": "https://x/"}, make_plan(), " -c stack_name=support-prod")

    assert line.endswith('hatch run invoke -c stack_name=support-prod "What is 2+2?"')
