"""The role's permissions and the secret."""

import json

import pytest

from infra import network
from tests.unit.infra.template import allowed_of, function_of, one, statements_of

SECRETS = "arn:aws:secretsmanager:us-east-1:123456789012:secret"


def test_the_role_may_log_and_invoke_the_model_and_nothing_else(synthesize) -> None:
    assert allowed_of(synthesize()) == {
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "bedrock:InvokeModel",
        "bedrock:InvokeModelWithResponseStream",
    }


def test_the_role_has_no_managed_policy(synthesize, variant) -> None:
    assert "ManagedPolicyArns" not in one(synthesize(variant), "AWS::IAM::Role")


def test_only_actions_of_xray_and_on_network_interfaces_are_allowed_on_everything(
    synthesize, variant
) -> None:
    for statement in statements_of(synthesize(variant)):
        actions = {statement["Action"]} if isinstance(statement["Action"], str) else set(statement["Action"])
        if statement["Resource"] == "*":
            assert actions in ({"xray:PutTraceSegments", "xray:PutTelemetryRecords"}, set(network.ACTIONS))


def test_a_profiles_destinations_are_bound_to_the_profile(synthesize) -> None:
    bedrock = [one for one in statements_of(synthesize()) if "bedrock:InvokeModel" in one["Action"]]
    through = [one for one in bedrock if "foundation-model" in json.dumps(one["Resource"])]

    assert len(bedrock) == 2
    assert all("bedrock:InferenceProfileArn" in one["Condition"]["ArnEquals"] for one in through)


@pytest.mark.parametrize(
    ("name", "resource"),
    [
        ("traces/langfuse", ":secret:traces/langfuse-??????"),
        (f"{SECRETS}:langfuse", ":secret:langfuse-??????"),
    ],
)
def test_only_the_named_secret_can_be_read(synthesize, name: str, resource: str) -> None:
    template = synthesize({"langfuse_secret": name})
    (statement,) = (one for one in statements_of(template) if "secretsmanager" in json.dumps(one))

    assert function_of(template)["Environment"]["Variables"]["LANGFUSE_SECRET_ARN"] == name
    assert statement["Action"] == "secretsmanager:GetSecretValue"
    assert json.dumps(statement["Resource"]).rstrip('"]} ').endswith(resource)
    assert "AWS::SecretsManager::Secret" not in json.dumps(template)


@pytest.mark.parametrize("name", [f"{SECRETS}:langfuse-AbCdEf", f"{SECRETS}:my-secret"])
def test_an_arn_that_may_be_complete_is_allowed_as_both(synthesize, name: str) -> None:
    template = synthesize({"langfuse_secret": name})
    (statement,) = (one for one in statements_of(template) if "secretsmanager" in json.dumps(one))

    assert statement["Resource"] == [name, f"{name}-??????"]


def test_an_assembly_contains_no_secret_value(assembly) -> None:
    canary = "sk-lf-canary-of-the-tests"
    environ = {
        "LANGFUSE_PUBLIC_KEY": canary,
        "LANGFUSE_SECRET_KEY": canary,
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS": f"authorization={canary}",
    }
    out = assembly({"langfuse_secret": "langfuse"}, environ)

    assert not [path for path in out.rglob("*") if path.is_file() and canary.encode() in path.read_bytes()]


def test_keys_without_a_secret_give_a_warning(assembly) -> None:
    warned = (
        assembly({}, {"LANGFUSE_SECRET_KEY": "sk-lf"}) / "strands-langfuse-lambda.metadata.json"
    ).read_text()

    assert "the function will run untraced" in warned
    assert "hatch run put-secret" in warned
