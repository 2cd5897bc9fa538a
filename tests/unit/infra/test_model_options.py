"""What the role may do in Bedrock follows exactly from the options of the model."""

import json

import pytest

from infra.context import ContextError


@pytest.fixture
def bedrock_statements(synthesize):
    """Gives the statements about Bedrock in the role's policy for a context."""

    def find(context):
        policies = [
            one["Properties"]["PolicyDocument"]["Statement"]
            for one in synthesize(context)["Resources"].values()
            if one["Type"] == "AWS::IAM::Policy"
        ]
        return [
            one for statements in policies for one in statements if "bedrock:" in json.dumps(one["Action"])
        ]

    return find


def test_with_another_providers_model_the_role_has_no_bedrock_permission(bedrock_statements):
    assert bedrock_statements({"model_id": "none"}) == []


def test_only_the_guardrail_can_be_applied(bedrock_statements):
    (statement,) = (
        one
        for one in bedrock_statements({"guardrail": "gr123:4"})
        if one["Action"] == "bedrock:ApplyGuardrail"
    )
    assert json.dumps(statement["Resource"]).endswith(':guardrail/gr123"]]}')
    assert "*" not in json.dumps(statement["Resource"])


def test_only_the_knowledge_base_can_be_searched(bedrock_statements):
    context = {"knowledge_base_id": "ABCDE12345"}
    (statement,) = (one for one in bedrock_statements(context) if one["Action"] == "bedrock:Retrieve")
    assert json.dumps(statement["Resource"]).endswith(':knowledge-base/ABCDE12345"]]}')


def test_the_fallback_model_can_be_invoked_too(bedrock_statements):
    context = {"model_id": "amazon.nova-pro-v1:0", "fallback_model_id": "amazon.nova-lite-v1:0"}
    resources = json.dumps([one["Resource"] for one in bedrock_statements(context)])
    assert "foundation-model/amazon.nova-pro-v1:0" in resources
    assert "foundation-model/amazon.nova-lite-v1:0" in resources


@pytest.mark.parametrize(
    "context",
    [
        {"model_id": "none", "guardrail": "gr123:4"},
        {"model_id": "none", "fallback_model_id": "us.amazon.nova-lite-v1:0"},
        {"model_id": "us.amazon.nova-lite-v1:0", "fallback_model_id": "us.amazon.nova-lite-v1:0"},
        {"fallback_model_id": "none"},
        {"guardrail": "gr123"},
        {"knowledge_base_id": "kb"},
    ],
)
def test_options_that_do_not_belong_together_are_rejected(synthesize, context):
    with pytest.raises(ContextError):
        synthesize(context)


def test_the_function_gets_the_options(synthesize):
    context = {"guardrail": "gr123:4", "knowledge_base_id": "ABCDE12345", "fallback_model_id": "us.a.model"}
    (function,) = (
        one["Properties"]
        for one in synthesize(context)["Resources"].values()
        if one["Type"] == "AWS::Lambda::Function"
    )
    variables = function["Environment"]["Variables"]
    assert {name: variables[name] for name in ("GUARDRAIL", "KNOWLEDGE_BASE_ID", "FALLBACK_MODEL_ID")} == {
        "GUARDRAIL": "gr123:4",
        "KNOWLEDGE_BASE_ID": "ABCDE12345",
        "FALLBACK_MODEL_ID": "us.a.model",
    }
