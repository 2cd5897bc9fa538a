"""What the template holds, variant by variant."""

import json
from dataclasses import fields
from typing import Any

import pytest

from infra import network, regions
from infra.options import Options
from infra.parsers import LOG_RETENTION_DAYS
from traced_agent import metrics
from traced_agent.settings import Settings

SECRETS = "arn:aws:secretsmanager:us-east-1:123456789012:secret"


def _resources(template: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [one["Properties"] for one in template["Resources"].values() if one["Type"] == kind]


def _one(template: dict[str, Any], kind: str) -> dict[str, Any]:
    (properties,) = _resources(template, kind)
    return properties


def _function(template: dict[str, Any]) -> dict[str, Any]:
    return _one(template, "AWS::Lambda::Function")


def _statements(template: dict[str, Any]) -> list[dict[str, Any]]:
    return _one(template, "AWS::IAM::Policy")["PolicyDocument"]["Statement"]


def _allowed(template: dict[str, Any]) -> set[str]:
    actions = [statement["Action"] for statement in _statements(template)]
    return {action for one in actions for action in ([one] if isinstance(one, str) else one)}


def test_the_function_is_the_first_plans(synthesize) -> None:
    function = _function(synthesize())

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


def test_the_outputs_are_the_contracts(synthesize) -> None:
    assert set(synthesize()["Outputs"]) == {"FunctionUrl", "FunctionName", "LogGroupName", "DashboardUrl"}


def test_sizes_and_ceilings_are_the_contexts(synthesize) -> None:
    template = synthesize(
        {"reserved_concurrency": "5", "memory_mb": "2048", "timeout_s": "60", "log_retention_days": "7"}
    )
    function = _function(template)

    assert (function["ReservedConcurrentExecutions"], function["MemorySize"], function["Timeout"]) == (
        5,
        2048,
        60,
    )
    assert _one(template, "AWS::Logs::LogGroup")["RetentionInDays"] == 7


def test_days_of_retention_are_cloudwatchs(synthesize) -> None:
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

    assert Settings.from_env(_function(template)["Environment"]["Variables"]) == Settings(
        bedrock_region="us-west-2",
        langfuse_secret_arn="traces/langfuse",
        langfuse_host="https://traces.example.com",
        langfuse_environment="staging",
        trace_sample_rate=0.5,
        max_tokens=100,
        page=True,
    )


def test_reserved_variables_are_never_set(synthesize, variant) -> None:
    variables = _function(synthesize(variant)).get("Environment", {}).get("Variables", {})

    assert not [name for name in variables if name.startswith("AWS_")]


@pytest.mark.parametrize("snapstart", ["true", "false"])
@pytest.mark.parametrize(
    ("auth", "auth_type", "principal"), [("none", "NONE", "*"), ("iam", "AWS_IAM", {"Ref": "AWS::AccountId"})]
)
def test_the_url_and_its_pair_of_permissions(synthesize, auth, auth_type, principal, snapstart) -> None:
    template = synthesize({"auth": auth, "snapstart": snapstart})
    url = _one(template, "AWS::Lambda::Url")
    permissions = {one["Action"]: one for one in _resources(template, "AWS::Lambda::Permission")}

    assert url["AuthType"] == auth_type
    assert set(permissions) == {"lambda:InvokeFunctionUrl", "lambda:InvokeFunction"}
    assert permissions["lambda:InvokeFunctionUrl"]["FunctionUrlAuthType"] == auth_type
    assert permissions["lambda:InvokeFunction"]["InvokedViaFunctionUrl"] is True
    assert all(principal == _principal(one["Principal"]) for one in permissions.values())


def _principal(of: Any) -> Any:
    """The account of `arn:<partition>:iam::<account>:root`, or what stands there."""
    return of["Fn::Join"][1][3] if isinstance(of, dict) and "Fn::Join" in of else of


def test_snapstart_puts_the_url_and_its_permissions_on_an_alias(synthesize) -> None:
    template = synthesize({"snapstart": "true"})
    (alias,) = (name for name, one in template["Resources"].items() if one["Type"] == "AWS::Lambda::Alias")

    assert _function(template)["SnapStart"] == {"ApplyOn": "PublishedVersions"}
    assert _one(template, "AWS::Lambda::Url")["Qualifier"]
    assert all(
        one["FunctionName"] == {"Ref": alias} for one in _resources(template, "AWS::Lambda::Permission")
    )


def test_streaming_and_its_variable_go_together(synthesize) -> None:
    for streaming, mode in (("true", "RESPONSE_STREAM"), ("false", "BUFFERED")):
        template = synthesize({"streaming": streaming})
        settings = Settings.from_env(_function(template)["Environment"]["Variables"])

        assert _one(template, "AWS::Lambda::Url")["InvokeMode"] == mode
        assert settings.streaming is (mode == "RESPONSE_STREAM")


def test_cors_is_lambdas_to_answer(synthesize) -> None:
    template = synthesize({"cors_origins": "https://app.example.com,http://localhost:3000"})
    cors = _one(template, "AWS::Lambda::Url")["Cors"]

    assert cors["AllowOrigins"] == ["https://app.example.com", "http://localhost:3000"]
    assert {"content-type", "authorization"} <= set(cors["AllowHeaders"])
    assert "Cors" not in _one(synthesize(), "AWS::Lambda::Url")


def test_the_role_may_log_and_invoke_the_model_and_nothing_else(synthesize) -> None:
    assert _allowed(synthesize()) == {
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "bedrock:InvokeModel",
        "bedrock:InvokeModelWithResponseStream",
    }


def test_the_role_holds_no_managed_policy(synthesize, variant) -> None:
    assert "ManagedPolicyArns" not in _one(synthesize(variant), "AWS::IAM::Role")


def test_only_actions_of_xray_and_on_network_interfaces_are_allowed_on_everything(
    synthesize, variant
) -> None:
    for statement in _statements(synthesize(variant)):
        actions = {statement["Action"]} if isinstance(statement["Action"], str) else set(statement["Action"])
        if statement["Resource"] == "*":
            assert actions in ({"xray:PutTraceSegments", "xray:PutTelemetryRecords"}, set(network.ACTIONS))


def test_a_profiles_destinations_are_bound_to_the_profile(synthesize) -> None:
    bedrock = [one for one in _statements(synthesize()) if "bedrock:InvokeModel" in one["Action"]]
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
def test_a_secret_is_named_and_alone_may_be_read(synthesize, name: str, resource: str) -> None:
    template = synthesize({"langfuse_secret": name})
    (statement,) = (one for one in _statements(template) if "secretsmanager" in json.dumps(one))

    assert _function(template)["Environment"]["Variables"]["LANGFUSE_SECRET_ARN"] == name
    assert statement["Action"] == "secretsmanager:GetSecretValue"
    assert json.dumps(statement["Resource"]).rstrip('"]} ').endswith(resource)
    assert "AWS::SecretsManager::Secret" not in json.dumps(template)


@pytest.mark.parametrize("name", [f"{SECRETS}:langfuse-AbCdEf", f"{SECRETS}:my-secret"])
def test_an_arn_that_may_be_complete_is_allowed_as_both(synthesize, name: str) -> None:
    template = synthesize({"langfuse_secret": name})
    (statement,) = (one for one in _statements(template) if "secretsmanager" in json.dumps(one))

    assert statement["Resource"] == [name, f"{name}-??????"]


def test_no_secret_value_ever_stands_in_an_assembly(assembly) -> None:
    canary = "sk-lf-canary-of-the-tests"
    environ = {
        "LANGFUSE_PUBLIC_KEY": canary,
        "LANGFUSE_SECRET_KEY": canary,
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS": f"authorization={canary}",
    }
    out = assembly({"langfuse_secret": "langfuse"}, environ)

    assert not [path for path in out.rglob("*") if path.is_file() and canary.encode() in path.read_bytes()]


def test_keys_without_a_secret_are_warned_of(assembly) -> None:
    warned = (
        assembly({}, {"LANGFUSE_SECRET_KEY": "sk-lf"}) / "strands-langfuse-lambda.metadata.json"
    ).read_text()

    assert "the function will run untraced" in warned
    assert "hatch run put-secret" in warned


@pytest.mark.parametrize(("auth", "expected"), [("none", True), ("iam", False)])
def test_an_open_url_is_warned_of(assembly, auth: str, expected: bool) -> None:
    out = assembly({"auth": auth})
    warned = "".join(path.read_text() for path in out.glob("*.json") if "template" not in path.name)

    assert ("Anyone who has the URL can call the function" in warned) is expected


def test_eight_alarms_watch_and_say_where_to_read_on(synthesize) -> None:
    alarms = _resources(synthesize(), "AWS::CloudWatch::Alarm")

    assert {alarm["MetricName"] for alarm in alarms} == {
        "Errors", "Url5xxCount", "Throttles", "Duration", metrics.TRACES_LOST,
        metrics.RUNS_FAILED, metrics.TRACES_WAITING, metrics.OLDEST_TRACE_AGE,
    }  # fmt: skip
    assert all("docs/operations.md" in alarm["AlarmDescription"] for alarm in alarms)
    assert not any("AlarmActions" in alarm for alarm in alarms)


def test_the_duration_alarm_follows_the_timeout(synthesize) -> None:
    alarms = _resources(synthesize({"timeout_s": "60"}), "AWS::CloudWatch::Alarm")

    assert [alarm["Threshold"] for alarm in alarms if alarm["MetricName"] == "Duration"] == [54_000]


@pytest.mark.parametrize("timeout_s", [10, 20, 39, 40, 41, 300, 900])
def test_a_run_that_meets_its_deadline_reaches_the_duration_alarm(synthesize, timeout_s: int) -> None:
    alarms = _resources(synthesize({"timeout_s": str(timeout_s)}), "AWS::CloudWatch::Alarm")
    reserve_s = min(timeout_s / 2, Settings().trace_export_timeout_s + 1)
    (threshold,) = (alarm["Threshold"] for alarm in alarms if alarm["MetricName"] == "Duration")

    assert 0 < threshold <= (timeout_s - reserve_s) * 1000


def test_an_email_is_told_and_alarms_may_tell_it(synthesize) -> None:
    template = synthesize({"alarm_email": "on-call@example.com"})
    policy = _one(template, "AWS::SNS::TopicPolicy")["PolicyDocument"]["Statement"]

    assert _one(template, "AWS::SNS::Subscription")["Endpoint"] == "on-call@example.com"
    assert all(alarm["AlarmActions"] for alarm in _resources(template, "AWS::CloudWatch::Alarm"))
    assert {"Service": "cloudwatch.amazonaws.com"} in [
        one["Principal"] for one in policy if one["Effect"] == "Allow"
    ]


def test_the_dashboard_shows_what_is_watched(synthesize) -> None:
    body = json.dumps(_one(synthesize(), "AWS::CloudWatch::Dashboard")["DashboardBody"])

    for shown in (
        "Invocations", "Errors", "p50", "p95", "p99",
        metrics.INPUT_TOKENS, metrics.OUTPUT_TOKENS, metrics.COLD_STARTS, metrics.TRACES_LOST,
    ):  # fmt: skip
        assert shown in body


def test_xray_is_on_by_its_switch_only(synthesize) -> None:
    assert _function(synthesize({"xray": "true"}))["TracingConfig"] == {"Mode": "Active"}
    assert "xray" not in json.dumps(_statements(synthesize()))


def test_sessions_are_private_encrypted_and_expire(synthesize) -> None:
    template = synthesize({"sessions": "true"})
    bucket = _one(template, "AWS::S3::Bucket")

    assert all(bucket["PublicAccessBlockConfiguration"].values())
    assert bucket["BucketEncryption"]
    assert any(rule.get("ExpirationInDays") for rule in bucket["LifecycleConfiguration"]["Rules"])
    assert "aws:SecureTransport" in json.dumps(_one(template, "AWS::S3::BucketPolicy"))
    assert "SESSION_BUCKET" in _function(template)["Environment"]["Variables"]
    assert {one for one in _allowed(template) if one.startswith("s3:")} == {
        "s3:ListBucket", "s3:GetObject", "s3:PutObject", "s3:DeleteObject",
    }  # fmt: skip


def test_nothing_is_left_behind_by_destroy_unless_it_is_to_be_retained(synthesize, variant) -> None:
    if variant.get("retain"):
        pytest.skip("its logs and conversations are kept")
    kept = [
        name
        for name, one in synthesize(variant)["Resources"].items()
        if one.get("DeletionPolicy", "Delete") != "Delete" and one["Type"] != "AWS::Lambda::Version"
    ]

    assert kept == []


def test_a_template_records_its_options_and_its_agent(synthesize) -> None:
    recorded = synthesize({"auth": "iam", "cors_origins": "https://app.example.com"})["Metadata"][
        "TracedAgent"
    ]

    assert recorded["agent"] == "handler"
    assert recorded["default_secret"] == "strands-langfuse-lambda/langfuse"
    assert recorded["options"]["auth"] == "iam"
    assert recorded["options"]["cors_origins"] == ["https://app.example.com"]
    assert set(recorded["options"]) == {key.name for key in fields(Options) if key.default is not None}


def test_the_architecture_is_that_of_the_context(synthesize) -> None:
    template = synthesize({"architecture": "arm64"})
    (function,) = [
        resource["Properties"]
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::Lambda::Function" and "Layers" in resource["Properties"]
    ]
    assert function["Architectures"] == ["arm64"]


def test_another_stack_name_changes_every_name_that_is_derived_from_it(assembly, synthesize) -> None:
    out = assembly({"stack_name": "support-prod"})
    template = synthesize({"stack_name": "support-prod"})

    assert [path.name for path in out.glob("*.template.json")] == ["support-prod.template.json"]
    assert template["Metadata"]["TracedAgent"]["default_secret"] == "support-prod/langfuse"
    assert Options().stack_name not in json.dumps({**template, "Metadata": {}})


def test_retain_keeps_logs_and_conversations_and_protects_the_stack(assembly, synthesize) -> None:
    context = {"retain": "true", "sessions": "true"}
    kept = {
        one["Type"]
        for one in synthesize(context)["Resources"].values()
        if one.get("DeletionPolicy") == "Retain" and one["Type"] != "AWS::Lambda::Version"
    }
    manifest = json.loads((assembly(context) / "manifest.json").read_text())

    assert kept == {"AWS::Logs::LogGroup", "AWS::S3::Bucket"}
    assert manifest["artifacts"]["strands-langfuse-lambda"]["properties"]["terminationProtection"] is True


def test_a_kms_key_encrypts_all_that_is_kept_and_the_role_can_use_it(synthesize) -> None:
    key = "arn:aws:kms:us-east-1:123456789012:key/0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f"
    template = synthesize({"kms_key": key, "sessions": "true", "alarm_email": "on-call@example.com"})
    bucket = _one(template, "AWS::S3::Bucket")["BucketEncryption"]["ServerSideEncryptionConfiguration"][0]

    assert _function(template)["KmsKeyArn"] == key
    assert _one(template, "AWS::Logs::LogGroup")["KmsKeyId"] == key
    assert _one(template, "AWS::SNS::Topic")["KmsMasterKeyId"] == key
    assert bucket["ServerSideEncryptionByDefault"] == {"KMSMasterKeyID": key, "SSEAlgorithm": "aws:kms"}
    (statement,) = (one for one in _statements(template) if "kms:Decrypt" in one["Action"])
    assert statement["Resource"] == key


def test_a_function_in_a_vpc_has_its_subnets_and_the_actions_on_network_interfaces(synthesize) -> None:
    template = synthesize(
        {"subnet_ids": "subnet-0a1b2c3d,subnet-0a1b2c3e", "security_group_ids": "sg-0a1b2c3d"}
    )

    assert _function(template)["VpcConfig"] == {
        "SubnetIds": ["subnet-0a1b2c3d", "subnet-0a1b2c3e"],
        "SecurityGroupIds": ["sg-0a1b2c3d"],
    }
    assert "ec2:CreateNetworkInterface" in _allowed(template)
    assert "VpcConfig" not in _function(synthesize())
    assert not [action for action in _allowed(synthesize()) if action.startswith("ec2:")]


def test_a_runtime_version_is_pinned(synthesize) -> None:
    arn = f"arn:aws:lambda:us-east-1::runtime:{'0a1b' * 16}"

    assert _function(synthesize({"runtime_version_arn": arn}))["RuntimeManagementConfig"] == {
        "RuntimeVersionArn": arn,
        "UpdateRuntimeOn": "Manual",
    }
    assert "RuntimeManagementConfig" not in _function(synthesize())


def test_a_browser_that_signs_can_send_its_signature(synthesize) -> None:
    origin = {"cors_origins": "https://app.example.com"}
    signature = {"x-amz-date", "x-amz-security-token", "x-amz-content-sha256"}

    signed = _one(synthesize({"auth": "iam", **origin}), "AWS::Lambda::Url")["Cors"]["AllowHeaders"]
    public = _one(synthesize(origin), "AWS::Lambda::Url")["Cors"]["AllowHeaders"]
    assert signature <= set(signed)
    assert not signature & set(public)


@pytest.mark.parametrize("snapstart", ["true", "false"])
def test_an_asynchronous_invocation_is_not_repeated(synthesize, snapstart: str) -> None:
    configs = _resources(synthesize({"snapstart": snapstart}), "AWS::Lambda::EventInvokeConfig")

    assert {config["MaximumRetryAttempts"] for config in configs} == {0}
    assert len(configs) == (2 if snapstart == "true" else 1)


def test_the_dashboards_address_is_in_the_console_of_its_region(synthesize) -> None:
    template = synthesize({"region": "eu-west-1", "model_id": "eu.a.model"})

    assert "https://eu-west-1.console.aws.amazon.com/cloudwatch" in json.dumps(
        template["Outputs"]["DashboardUrl"]
    )


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("us-east-1", "us-east-1.console.aws.amazon.com"),
        ("us-gov-west-1", "us-gov-west-1.console.amazonaws-us-gov.com"),
        ("cn-north-1", "cn-north-1.console.amazonaws.cn"),
    ],
)
def test_each_partition_has_its_console(region: str, host: str) -> None:
    assert regions.console(region) == host


def test_with_snapstart_the_dashboard_shows_restores_instead_of_snapshots(synthesize) -> None:
    body = json.dumps(_one(synthesize({"snapstart": "true"}), "AWS::CloudWatch::Dashboard")["DashboardBody"])

    assert "platform.restoreReport" in body
    assert metrics.COLD_STARTS not in body


def test_switching_snapstart_is_warned_of(assembly) -> None:
    def warned(context: dict[str, str]) -> str:
        return (assembly(context) / "strands-langfuse-lambda.metadata.json").read_text()

    assert "replaces the Function URL" in warned({"snapstart": "true"})
    assert "replaces the Function URL" not in warned({"auth": "iam"})
