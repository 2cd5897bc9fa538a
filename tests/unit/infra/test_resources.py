"""The owner's resources are added to each agent, and the shipped stack has none."""

import json

from aws_cdk import RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager

from infra.app import build
from tests.example_agent.source import EXAMPLE_AGENT

SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:shop-AbCdEf"


def add(agent) -> None:
    table = dynamodb.TableV2(
        agent,
        "Orders",
        partition_key=dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING),
        removal_policy=RemovalPolicy.DESTROY,
    )
    table.grant_read_write_data(agent.role)
    agent.function.add_environment("ORDERS_TABLE", table.table_name)
    agent.function.add_environment("MALLOC_ARENA_MAX", "8")
    s3.Bucket(agent, "Reports").grant_read(agent.role)
    secretsmanager.Secret.from_secret_complete_arn(agent, "Shop", SECRET).grant_read(agent.role)
    agent.role.add_managed_policy(iam.ManagedPolicy.from_aws_managed_policy_name("AmazonSESFullAccess"))


def test_a_table_a_bucket_a_secret_a_variable_and_a_policy_can_be_added(
    tmp_path, new_app, empty_layers
) -> None:
    app = new_app(tmp_path)
    agents = {"handler": EXAMPLE_AGENT, "support": EXAMPLE_AGENT}
    build(app, {}, layers=empty_layers, agents=agents, add_resources=add)
    app.synth()

    for name in ("strands-langfuse-lambda", "strands-langfuse-lambda-support"):
        resources = json.loads((tmp_path / f"{name}.template.json").read_text())["Resources"]
        kinds = [one["Type"] for one in resources.values()]
        (function,) = (one for one in resources.values() if one["Type"] == "AWS::Lambda::Function")
        (policy,) = (one for one in resources.values() if one["Type"] == "AWS::IAM::Policy")
        (role,) = (one for one in resources.values() if one["Type"] == "AWS::IAM::Role")
        assert {"AWS::DynamoDB::GlobalTable", "AWS::S3::Bucket"} <= set(kinds)
        variables = function["Properties"]["Environment"]["Variables"]
        assert "Ref" in variables["ORDERS_TABLE"]
        assert variables["MALLOC_ARENA_MAX"] == "8"
        assert "dynamodb:PutItem" in json.dumps(policy)
        assert SECRET in json.dumps(policy)
        assert "AmazonSESFullAccess" in json.dumps(role)
