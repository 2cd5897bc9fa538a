"""The stack against cdk-nag's AWS Solutions pack; what is accepted is acknowledged beside its resource."""

import pytest
from aws_cdk import Validations
from aws_cdk import aws_iam as iam

from infra.app import build
from tests.example_agent.source import EXAMPLE_AGENT

AwsSolutionsChecks = pytest.importorskip(
    "cdk_nag", reason="cdk-nag is in the environment `test`"
).AwsSolutionsChecks


@pytest.fixture
def app(variant, empty_layers, tmp_path, new_app):
    app = new_app(tmp_path, **variant)
    build(app, {}, layers=empty_layers, agents={"handler": EXAMPLE_AGENT})
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    return app


def test_cdk_nag_finds_nothing_in_any_variant(app):
    app.synth()


def test_cdk_nag_finds_what_is_not_acknowledged(empty_layers, tmp_path, new_app):
    app = new_app(tmp_path)
    (stack,) = build(app, {}, layers=empty_layers, agents={"handler": EXAMPLE_AGENT})
    everything = iam.PolicyStatement(actions=["s3:*"], resources=["*"])
    iam.User(stack, "Guest").add_to_policy(everything)
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))

    with pytest.raises(RuntimeError):
        app.synth()
    found = "".join(p.read_text() for p in tmp_path.rglob("*report*.json"))
    assert "AwsSolutions-IAM5" in found
