"""What would fail half-way is told before anything is created."""

from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from layers import Layer
from tools.aws import account, deploy
from tools.command import Failure

KEYS = {"LANGFUSE_PUBLIC_KEY": "pk", "LANGFUSE_SECRET_KEY": "sk"}


class Aws:
    """Every service at once; operations answer, or fail with the code they are given."""

    def __init__(self, **operations: Any) -> None:
        self._operations = operations
        self.called: list[str] = []

    def __call__(self, service: str) -> "Aws":
        return self

    def __getattr__(self, operation: str) -> Any:
        def call(**arguments: Any) -> Any:
            self.called.append(operation)
            answer = self._operations.get(operation, {})
            if isinstance(answer, str):
                raise ClientError({"Error": {"Code": answer}}, operation)
            return answer

        return call


def test_a_layer_not_built_is_refused_with_the_command(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="layers/strands is not built: run `hatch run build-layers`"):
        deploy.check_layers([Layer("strands", tmp_path)])


def test_expired_credentials_are_refused() -> None:
    with pytest.raises(Failure, match="expired"):
        deploy.check_account(Aws(get_caller_identity="ExpiredToken"), "us-east-1")


def test_an_account_not_bootstrapped_is_refused_with_the_command() -> None:
    aws = Aws(get_caller_identity={"Account": "123456789012"}, get_parameter="ParameterNotFound")

    with pytest.raises(Failure, match="run `hatch run cdk bootstrap aws://123456789012/us-east-1`"):
        deploy.check_account(aws, "us-east-1")


def test_who_may_not_look_goes_on() -> None:
    aws = Aws(get_caller_identity={"Account": "123456789012"}, get_parameter="AccessDeniedException")

    deploy.check_account(aws, "us-east-1")


def test_a_model_that_bedrock_does_not_know_is_refused() -> None:
    aws = Aws(get_inference_profile="ResourceNotFoundException", get_foundation_model="ValidationException")

    with pytest.raises(
        Failure, match=r"Bedrock has no us.no.model in us-east-1: choose one of .*with -c model_id"
    ):
        deploy.check_model(aws, "us.no.model", "us-east-1")


@pytest.mark.parametrize(
    "answers",
    [
        {"get_foundation_model": "ResourceNotFoundException"},
        {"get_inference_profile": "ResourceNotFoundException"},
        {"get_inference_profile": "AccessDeniedException", "get_foundation_model": "AccessDeniedException"},
    ],
)
def test_a_model_that_is_either_or_not_to_be_asked_for_passes(answers: dict[str, str]) -> None:
    deploy.check_model(Aws(**answers), "us.a.model", "us-east-1")


def test_a_named_secret_must_exist() -> None:
    with pytest.raises(
        Failure, match="the secret mine does not exist: run `hatch run put-secret --name mine`"
    ):
        deploy.find_secret(
            Aws(describe_secret="ResourceNotFoundException"), {"langfuse_secret": "mine"}, {}, KEYS
        )


def test_keys_that_are_set_are_put_into_the_secret() -> None:
    aws = Aws(get_secret_value="ResourceNotFoundException", create_secret={"ARN": "arn"})

    assert deploy.find_secret(aws, {}, {}, KEYS) == account.SECRET
    assert "create_secret" in aws.called


def test_without_keys_the_secret_that_is_there_stays_in_use() -> None:
    assert deploy.find_secret(Aws(), {}, {}, {}) == account.SECRET


def test_without_keys_or_secret_the_function_runs_untraced(capsys: pytest.CaptureFixture[str]) -> None:
    assert deploy.find_secret(Aws(describe_secret="ResourceNotFoundException"), {}, {}, {}) is None
    assert "untraced" in capsys.readouterr().err


def test_with_otlp_langfuses_keys_stay_where_they_are() -> None:
    aws = Aws()

    assert deploy.find_secret(aws, {"otlp_endpoint": "https://traces.example.com"}, {}, KEYS) is None
    assert aws.called == []


@pytest.mark.parametrize("auth", [None, "none", "iam"])
def test_the_curl_line_is_signed_when_it_must_be(auth: str | None) -> None:
    line = deploy.ready({"FunctionUrl": "https://x.lambda-url/"}, auth=auth, region="us-west-2")

    assert "curl https://x.lambda-url/ -H 'Content-Type: application/json'" in line
    assert ("--aws-sigv4 aws:amz:us-west-2:lambda" in line) is (auth == "iam")
