"""`-c` over the environment over the default; unknown keys and invalid values are rejected."""

import re

import pytest

from infra import bedrock_access
from infra.app import user_context
from infra.bedrock_access import ModelError
from infra.context import ContextError, read
from infra.options import Options
from infra.regions import WITHOUT_FUNCTION_URLS, RegionError


def test_nothing_given_is_the_first_plan() -> None:
    context = read(Options, {}, {})

    assert (context.auth, context.region, context.memory_mb, context.timeout_s) == (
        "none",
        "us-east-1",
        1024,
        300,
    )


def test_the_context_has_priority_over_the_environment_and_that_over_the_default() -> None:
    environ = {"BEDROCK_MODEL_ID": "us.amazon.nova-pro-v1:0", "MEMORY_MB": "512"}

    context = read(Options, {"model_id": "us.amazon.nova-lite-v1:0"}, environ)

    assert (context.model_id, context.memory_mb, context.timeout_s) == ("us.amazon.nova-lite-v1:0", 512, 300)


@pytest.mark.parametrize(
    ("variable", "value", "key"),
    [
        ("AWS_REGION", "us-west-2", "region"),
        ("AWS_DEFAULT_REGION", "us-west-2", "region"),
        ("LANGFUSE_HOST", "https://traces.example.com", "langfuse_host"),
        ("LANGFUSE_BASE_URL", "https://traces.example.com", "langfuse_host"),
        ("LANGFUSE_SECRET_ARN", "langfuse", "langfuse_secret"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://traces.example.com", "otlp_endpoint"),
        ("AUTH", "iam", "auth"),
    ],
)
def test_a_key_has_its_variables(variable: str, value: str, key: str) -> None:
    assert getattr(read(Options, {}, {variable: value}), key) == value


def test_an_empty_value_is_none() -> None:
    assert read(Options, {"memory_mb": " "}, {"AUTH": ""}) == Options()


@pytest.mark.parametrize(
    ("context", "says"),
    [
        ({"atuh": "iam"}, "unknown context key atuh: use one of alarm_email, architecture, auth,"),
        ({"auth": "public"}, "invalid value for auth (-c auth=public): expected none or iam"),
        ({"xray": "yes"}, "expected true or false"),
        ({"memory_mb": "64"}, "expected a whole number from 256 to 10240"),
        ({"memory_mb": "1GB"}, "expected a whole number from 256 to 10240"),
        ({"timeout_s": "901"}, "expected a whole number from 10 to 900"),
        ({"reserved_concurrency": "0"}, "expected a whole number from 1 to 10000"),
        ({"log_retention_days": "8"}, "1 or 3 or 5 or 7 or 14"),
        ({"trace_sample_rate": "2"}, "expected a number from 0 to 1"),
        ({"trace_export": "never"}, "expected after or before"),
        ({"langfuse_host": "cloud.langfuse.com"}, "expected an http(s) URL"),
        ({"langfuse_environment": "Production"}, "expected lower-case letters"),
        ({"langfuse_secret": "arn:aws:s3:::keys"}, "expected the name or the ARN of a secret"),
        ({"cors_origins": "app.example.com"}, "expected origins like https://app.example.com"),
        ({"cors_origins": "https://app.example.com/"}, "expected origins like https://app.example.com"),
        ({"cors_origins": "https://"}, "expected origins like https://app.example.com"),
        ({"cors_origins": "https://app example.com"}, "expected origins like https://app.example.com"),
        ({"cors_origins": "https://user@app.example.com"}, "expected origins like https://app.example.com"),
        ({"auth": "jwt", "jwt_issuer": "https://a", "jwt_audience": " , "}, "expected the audiences"),
        ({"alarm_email": "me"}, "expected an email address"),
        ({"region": "virginia"}, "expected a region's code"),
        ({"auth": "iam", "page": "true"}, "page=true needs auth=none"),
        ({"otlp_headers_secret": "otlp"}, "otlp_headers_secret needs otlp_endpoint"),
        ({"stack_name": "support_prod"}, "expected 2 to 64 letters, digits and hyphens"),
        ({"langfuse_host": "http://langfuse.example.com"}, "expected an https URL"),
        ({"langfuse_host": "http://localhost.example.com"}, "expected an https URL"),
        ({"otlp_endpoint": "http://otlp.example.com/v1/traces"}, "expected an https URL"),
        ({"kms_key": "alias/mine"}, "expected the ARN of a KMS key"),
        (
            {"kms_key": "arn:aws:kms:eu-west-1:123456789012:key/0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f"},
            "kms_key is in eu-west-1, the stack in us-east-1: use one region for both",
        ),
        ({"runtime_version_arn": "python3.13"}, "expected the ARN of a runtime version"),
        (
            {"runtime_version_arn": "arn:aws:lambda:eu-west-1::runtime:0a1b"},
            "runtime_version_arn is in eu-west-1, the stack in us-east-1",
        ),
        ({"subnet_ids": "vpc-0a1b"}, "expected ids of subnets like subnet-0a1b2c3d"),
        ({"subnet_ids": "subnet-0a1b2c3d"}, "subnet_ids and security_group_ids belong together"),
        ({"security_group_ids": "sg-0a1b2c3d"}, "subnet_ids and security_group_ids belong together"),
        ({"retain": "maybe"}, "expected true or false"),
    ],
)
def test_an_invalid_value_is_rejected_with_the_valid_ones(context: dict[str, str], says: str) -> None:
    with pytest.raises(ContextError) as refused:
        read(Options, context, {})

    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_wrong_variable_is_named() -> None:
    with pytest.raises(ContextError, match=r"invalid value for memory_mb \(MEMORY_MB=lots\)"):
        read(Options, {}, {"MEMORY_MB": "lots"})


def test_the_context_keys_of_the_cdk_are_accepted() -> None:
    own = {"aws:cdk:bundling-stacks": ["**"], "@aws-cdk/core:newStyleStackSynthesis": True}

    assert read(Options, own, {}) == Options()


def test_keys_that_the_cli_writes_are_ignored() -> None:
    written = {"acknowledged-issue-numbers": [34892], "cli-telemetry": False}

    assert read(Options, written, {}) == Options()


def test_keys_of_the_users_own_file_are_ignored_and_its_options_are_used(tmp_path) -> None:
    file = tmp_path / ".cdk.json"
    file.write_text('{"context": {"company": "acme", "auth": "iam"}}')

    options = read(Options, {"company": "acme", "auth": "iam"}, {}, foreign=user_context(file))

    assert options == Options(auth="iam")


@pytest.mark.parametrize("content", [None, "", "[]", "{", '{"context": null}'])
def test_a_user_file_that_cannot_be_used_has_no_keys(tmp_path, content: str | None) -> None:
    file = tmp_path / ".cdk.json"
    if content is not None:
        file.write_text(content)

    assert user_context(file) == []


def test_http_is_accepted_on_loopback_only() -> None:
    for host in ("http://localhost:3000", "http://127.0.0.1:3000", "http://[::1]:3000"):
        assert read(Options, {"langfuse_host": host}, {}).langfuse_host == host


@pytest.mark.parametrize(("region", "nearest"), WITHOUT_FUNCTION_URLS.items())
def test_a_region_without_function_urls_is_rejected_with_the_nearest(region: str, nearest: str) -> None:
    with pytest.raises(RegionError, match=f"no Function URLs in {region}: use -c region={nearest}$"):
        read(Options, {"region": region}, {})

    assert nearest not in WITHOUT_FUNCTION_URLS


@pytest.mark.parametrize("region", ["cn-north-1", "cn-northwest-1", "us-gov-west-1", "us-gov-east-1"])
def test_a_region_of_another_partition_is_rejected_without_naming_a_profile(region: str) -> None:
    with pytest.raises(RegionError, match=f"in {region}: use a region outside") as rejected:
        read(Options, {"region": region}, {})

    assert not re.search(r"model_id|global|us-gov\.", str(rejected.value))


@pytest.mark.parametrize("model", ["us.a.model", "global.a.model"])
def test_in_another_partition_no_profile_is_guessed(model: str) -> None:
    with pytest.raises(ModelError, match="list-inference-profiles --region us-gov-east-1") as rejected:
        bedrock_access.check(model, "us-gov-east-1")

    assert "use -c model_id" not in str(rejected.value)


def test_the_region_of_the_profile_is_used_after_the_environments() -> None:
    cli = {"CDK_DEFAULT_REGION": "eu-west-1", "BEDROCK_MODEL_ID": "global.a.model"}

    assert read(Options, {}, cli).region == "eu-west-1"
    assert read(Options, {}, {**cli, "AWS_REGION": "us-west-2"}).region == "us-west-2"


def test_the_default_secret_has_the_name_of_the_stack() -> None:
    given = {"stack_name": "support-prod", "default_secret": "true"}

    assert read(Options, given, {}).settings().langfuse_secret_arn == "support-prod/langfuse"
    named = read(Options, {**given, "langfuse_secret": "mine"}, {})
    assert named.settings().langfuse_secret_arn == "mine"
    plain = read(Options, {**given, "otlp_endpoint": "https://otlp.example.com"}, {})
    assert plain.settings().langfuse_secret_arn == ""


def test_a_value_from_cdk_json_may_be_more_than_text() -> None:
    context = read(Options, {"xray": True, "memory_mb": 2048}, {})

    assert (context.xray, context.memory_mb) == (True, 2048)


@pytest.mark.parametrize(
    ("auth", "page", "served"),
    [("none", None, True), ("none", "false", False), ("iam", None, False), ("iam", "false", False)],
)
def test_the_page_is_for_the_open_url(auth: str, page: str | None, served: bool) -> None:
    context = read(Options, {"auth": auth} | ({"page": page} if page else {}), {})

    assert context.settings().page is served


def test_otlp_replaces_langfuse() -> None:
    given = {"langfuse_secret": "langfuse", "otlp_endpoint": "https://traces.example.com"}

    assert read(Options, given, {}).settings().langfuse_secret_arn == ""


@pytest.mark.parametrize(
    ("model", "region", "remedy"),
    [
        ("us.a.model", "eu-west-1", "use -c model_id=eu.a.model, or -c region=us-"),
        ("eu.a.model", "sa-east-1", "use -c model_id=global.a.model"),
        ("arn:aws:bedrock:us-west-2:1:provisioned-model/x", "us-east-1", "use -c region=us-west-2"),
        ("claude sonnet", "us-east-1", "is not the id of a Bedrock model"),
        ("arn:aws:s3:::models", "us-east-1", "is not the ARN of a Bedrock model"),
    ],
)
def test_a_region_without_the_model_is_rejected_with_the_choices(
    model: str, region: str, remedy: str
) -> None:
    with pytest.raises(ModelError) as refused:
        read(Options, {"model_id": model, "region": region}, {})

    assert remedy in str(refused.value)


def test_a_list_in_cdk_json_is_a_list_and_null_is_not_set() -> None:
    options = read(Options, {"cors_origins": ["https://a.example", "https://b.example"], "auth": None}, {})

    assert options.cors_origins == ("https://a.example", "https://b.example")
    assert options.auth == "none"


def test_a_message_shows_no_credentials_of_an_address() -> None:
    with pytest.raises(ContextError, match="without credentials") as raised:
        read(Options, {"langfuse_host": "https://pk-lf-1:sk-lf-1@langfuse.example"}, {})

    assert "sk-lf-1" not in str(raised.value)
    assert "langfuse.example" in str(raised.value)
