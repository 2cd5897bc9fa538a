"""`-c` over environment over default, and nothing that is not understood."""

import pytest

from infra.app import Context
from infra.bedrock_access import ModelError
from infra.context import ContextError, read


def test_nothing_given_is_the_first_plan() -> None:
    context = read(Context, {}, {})

    assert (context.auth, context.region, context.memory_mb, context.timeout_s) == (
        "none",
        "us-east-1",
        1024,
        300,
    )


def test_the_context_wins_over_the_environment_and_that_over_the_default() -> None:
    environ = {"BEDROCK_MODEL_ID": "us.amazon.nova-pro-v1:0", "MEMORY_MB": "512"}

    context = read(Context, {"model_id": "us.amazon.nova-lite-v1:0"}, environ)

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
    assert getattr(read(Context, {}, {variable: value}), key) == value


def test_an_empty_value_is_none() -> None:
    assert read(Context, {"memory_mb": " "}, {"AUTH": ""}) == Context()


@pytest.mark.parametrize(
    ("context", "says"),
    [
        ({"atuh": "iam"}, "atuh is unknown: use one of alarm_email, auth,"),
        ({"auth": "public"}, "-c auth=public is not possible: give none or iam"),
        ({"xray": "yes"}, "give true or false"),
        ({"memory_mb": "64"}, "give a whole number from 256 to 10240"),
        ({"memory_mb": "1GB"}, "give a whole number from 256 to 10240"),
        ({"timeout_s": "901"}, "give a whole number from 10 to 900"),
        ({"reserved_concurrency": "0"}, "give a whole number from 1 to 10000"),
        ({"log_retention_days": "8"}, "1 or 3 or 5 or 7 or 14"),
        ({"trace_sample_rate": "2"}, "give a number from 0 to 1"),
        ({"trace_export": "never"}, "give after or before"),
        ({"langfuse_host": "cloud.langfuse.com"}, "give an http(s) URL"),
        ({"langfuse_environment": "Production"}, "give lower-case letters"),
        ({"langfuse_secret": "arn:aws:s3:::keys"}, "give the name or the ARN of a secret"),
        ({"cors_origins": "app.example.com"}, "give origins like https://app.example.com"),
        ({"cors_origins": "https://app.example.com/"}, "give origins like https://app.example.com"),
        ({"alarm_email": "me"}, "give an email address"),
        ({"region": "virginia"}, "give a region's code"),
        ({"auth": "iam", "page": "true"}, "page=true needs auth=none"),
        ({"otlp_headers_secret": "otlp"}, "otlp_headers_secret needs otlp_endpoint"),
    ],
)
def test_what_is_wrong_is_refused_with_the_choices(context: dict[str, str], says: str) -> None:
    with pytest.raises(ContextError) as refused:
        read(Context, context, {})

    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_wrong_variable_is_named() -> None:
    with pytest.raises(ContextError, match="MEMORY_MB=lots is not possible"):
        read(Context, {}, {"MEMORY_MB": "lots"})


def test_the_cdks_own_keys_pass() -> None:
    own = {"aws:cdk:bundling-stacks": ["**"], "@aws-cdk/core:newStyleStackSynthesis": True}

    assert read(Context, own, {}) == Context()


def test_a_value_from_cdk_json_may_be_more_than_text() -> None:
    context = read(Context, {"xray": True, "memory_mb": 2048}, {})

    assert (context.xray, context.memory_mb) == (True, 2048)


@pytest.mark.parametrize(
    ("auth", "page", "served"),
    [("none", None, True), ("none", "false", False), ("iam", None, False), ("iam", "false", False)],
)
def test_the_page_is_for_the_open_url(auth: str, page: str | None, served: bool) -> None:
    context = read(Context, {"auth": auth} | ({"page": page} if page else {}), {})

    assert context.settings().page is served


def test_otlp_takes_the_place_of_langfuse() -> None:
    given = {"langfuse_secret": "langfuse", "otlp_endpoint": "https://traces.example.com"}

    assert read(Context, given, {}).settings().langfuse_secret_arn == ""


@pytest.mark.parametrize(
    ("model", "region", "remedy"),
    [
        ("us.a.model", "eu-west-1", "use -c model_id=eu.a.model, or -c region=us-"),
        ("eu.a.model", "sa-east-1", "use -c model_id=global.a.model"),
        ("arn:aws:bedrock:us-west-2:1:provisioned-model/x", "us-east-1", "use -c region=us-west-2"),
        ("claude sonnet", "us-east-1", "is no id of a Bedrock model"),
        ("arn:aws:s3:::models", "us-east-1", "is not the ARN of a Bedrock model"),
    ],
)
def test_a_region_without_the_model_is_refused_with_what_to_choose(
    model: str, region: str, remedy: str
) -> None:
    with pytest.raises(ModelError) as refused:
        read(Context, {"model_id": model, "region": region}, {})

    assert remedy in str(refused.value)
