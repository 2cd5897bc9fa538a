"""The function of the stack, variant by variant."""

import json

from infra.parsers import LOG_RETENTION_DAYS
from tests.unit.infra.template import allowed_of, function_of, one, statements_of
from traced_agent.settings import Settings


def test_the_function_has_the_documented_defaults(synthesize) -> None:
    function = function_of(synthesize())

    assert {
        name: function[name] for name in ("Handler", "Runtime", "Architectures", "MemorySize", "Timeout")
    } == {
        "Handler": "lambda_handler.handler",
        "Runtime": "python3.13",
        "Architectures": ["x86_64"],
        "MemorySize": 1024,
        "Timeout": 300,
    }
    assert function["LoggingConfig"]["LogFormat"] == "JSON"
    assert len(function["Layers"]) == 2
    assert "ReservedConcurrentExecutions" not in function


def test_the_outputs_have_the_documented_names(synthesize) -> None:
    assert set(synthesize()["Outputs"]) == {"FunctionUrl", "FunctionName", "LogGroupName", "DashboardUrl"}


def test_memory_timeout_and_concurrency_come_from_the_context(synthesize) -> None:
    template = synthesize(
        {"reserved_concurrency": "5", "memory_mb": "2048", "timeout_s": "60", "log_retention_days": "7"}
    )
    function = function_of(template)

    assert (function["ReservedConcurrentExecutions"], function["MemorySize"], function["Timeout"]) == (
        5,
        2048,
        60,
    )
    assert one(template, "AWS::Logs::LogGroup")["RetentionInDays"] == 7


def test_the_log_retention_accepts_the_days_of_cloudwatch(synthesize) -> None:
    from aws_cdk import aws_logs

    assert len(LOG_RETENTION_DAYS) == len(list(aws_logs.RetentionDays)) - 1  # the last is for ever


def test_the_functions_environment_is_its_settings(synthesize) -> None:
    template = synthesize(
        {
            "langfuse_secret": "traces/langfuse",
            "langfuse_host": "https://traces.example.com",
            "langfuse_environment": "staging",
            "trace_sample_rate": "0.5",
            "max_tokens": "100",
            "region": "us-west-2",
        }
    )

    assert Settings.from_env(function_of(template)["Environment"]["Variables"]) == Settings(
        bedrock_region="us-west-2",
        langfuse_secret_arn="traces/langfuse",
        langfuse_host="https://traces.example.com",
        langfuse_environment="staging",
        trace_sample_rate=0.5,
        max_tokens=100,
        page=True,
    )


def test_the_memory_that_threads_free_is_shared(synthesize) -> None:
    assert function_of(synthesize())["Environment"]["Variables"]["MALLOC_ARENA_MAX"] == "1"


def test_reserved_variables_are_never_set(synthesize, variant) -> None:
    variables = function_of(synthesize(variant)).get("Environment", {}).get("Variables", {})

    assert not [name for name in variables if name.startswith("AWS_")]


def test_xray_is_off_by_default(synthesize) -> None:
    assert function_of(synthesize({"xray": "true"}))["TracingConfig"] == {"Mode": "Active"}
    assert "xray" not in json.dumps(statements_of(synthesize()))


def test_the_architecture_is_that_of_the_context(synthesize) -> None:
    template = synthesize({"architecture": "arm64"})
    (function,) = [
        resource["Properties"]
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::Lambda::Function" and "Layers" in resource["Properties"]
    ]
    assert function["Architectures"] == ["arm64"]


def test_a_function_in_a_vpc_has_its_subnets_and_the_actions_on_network_interfaces(synthesize) -> None:
    template = synthesize(
        {"subnet_ids": "subnet-0a1b2c3d,subnet-0a1b2c3e", "security_group_ids": "sg-0a1b2c3d"}
    )

    assert function_of(template)["VpcConfig"] == {
        "SubnetIds": ["subnet-0a1b2c3d", "subnet-0a1b2c3e"],
        "SecurityGroupIds": ["sg-0a1b2c3d"],
    }
    assert "ec2:CreateNetworkInterface" in allowed_of(template)
    assert "VpcConfig" not in function_of(synthesize())
    assert not [action for action in allowed_of(synthesize()) if action.startswith("ec2:")]


def test_a_runtime_version_is_pinned(synthesize) -> None:
    arn = f"arn:aws:lambda:us-east-1::runtime:{'0a1b' * 16}"

    assert function_of(synthesize({"runtime_version_arn": arn}))["RuntimeManagementConfig"] == {
        "RuntimeVersionArn": arn,
        "UpdateRuntimeOn": "Manual",
    }
    assert "RuntimeManagementConfig" not in function_of(synthesize())
