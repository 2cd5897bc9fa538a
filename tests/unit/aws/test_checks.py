"""What would fail half-way is found before anything is written."""

import pytest

from tools.aws import checks
from tools.command import Failure


def test_expired_credentials_are_rejected(fake_aws, make_plan) -> None:
    with pytest.raises(Failure, match="expired"):
        checks.check_account(fake_aws(get_caller_identity="ExpiredToken"), make_plan())


def test_an_account_that_is_not_bootstrapped_is_rejected_with_the_command(fake_aws, make_plan) -> None:
    aws = fake_aws(get_caller_identity={"Account": "123456789012"}, get_parameter="ParameterNotFound")

    with pytest.raises(Failure, match="run `hatch run cdk bootstrap aws://123456789012/us-east-1`"):
        checks.check_account(aws, make_plan())


def test_the_bootstrap_version_is_that_of_the_qualifier(fake_aws, make_plan) -> None:
    from dataclasses import replace

    plan = replace(make_plan(), bootstrap_parameter="/cdk-bootstrap/acme/version")
    aws = fake_aws(get_caller_identity={"Account": "123456789012"})
    checks.check_account(aws, plan)
    missing = fake_aws(get_caller_identity={"Account": "1"}, get_parameter="ParameterNotFound")

    assert aws.arguments["get_parameter"] == {"Name": "/cdk-bootstrap/acme/version"}
    with pytest.raises(Failure, match="--qualifier acme --profile prod`"):
        checks.check_account(missing, plan, "prod")


def test_without_permission_to_check_the_deploy_continues(fake_aws, make_plan) -> None:
    aws = fake_aws(get_caller_identity={"Account": "123456789012"}, get_parameter="AccessDeniedException")

    checks.check_account(aws, make_plan())


def test_a_model_that_bedrock_does_not_have_is_rejected(fake_aws) -> None:
    aws = fake_aws(
        get_inference_profile="ResourceNotFoundException", get_foundation_model="ValidationException"
    )

    with pytest.raises(
        Failure, match=r"Bedrock has no us.no.model in us-east-1: choose one of .*with -c model_id"
    ):
        checks.check_model(aws, "us.no.model", "us-east-1")


@pytest.mark.parametrize(
    "answers",
    [
        {"get_foundation_model": "ResourceNotFoundException"},
        {"get_inference_profile": "ResourceNotFoundException"},
        {"get_inference_profile": "AccessDeniedException", "get_foundation_model": "AccessDeniedException"},
    ],
)
def test_a_model_that_exists_or_cannot_be_checked_passes(fake_aws, answers: dict[str, str]) -> None:
    checks.check_model(fake_aws(**answers), "us.a.model", "us-east-1")


def test_a_named_secret_must_exist(fake_aws) -> None:
    aws = fake_aws(describe_secret="ResourceNotFoundException")

    with pytest.raises(
        Failure, match="the secret mine does not exist: run `hatch run put-secret --name mine`"
    ):
        checks.check_secrets(aws, {"langfuse_secret": "mine"})


def test_with_otlp_its_own_secret_must_exist_and_the_langfuse_secret_is_not_read(fake_aws) -> None:
    aws = fake_aws(describe_secret="ResourceNotFoundException")
    otlp = {"otlp_endpoint": "https://otlp.example.com", "langfuse_secret": "mine"}

    checks.check_secrets(aws, otlp)
    assert aws.called == []
    with pytest.raises(Failure, match="the secret headers does not exist: create it"):
        checks.check_secrets(aws, {**otlp, "otlp_headers_secret": "headers"})
