"""Settings are read once, whole, or not at all."""

import subprocess
import sys
from dataclasses import fields

import pytest

from traced_agent.settings import Settings, SettingsError

VALUES = {int: "7", bool: "true", float: "0.5", str: "https://example.com/x"}
CHOICES = {
    "BEDROCK_REGION": "eu-central-1",
    "GUARDRAIL": "gr1a2b3c4d5e:1",
    "KNOWLEDGE_BASE_ID": "ABCDE12345",
    "LANGFUSE_SECRET_ARN": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:team/langfuse-AbCdEf",
    "LANGFUSE_PROJECT_ID": "cm1-a_B2",
    "LANGFUSE_PROMPT": "team/assistant@latest",
    "LANGFUSE_TRACING_ENVIRONMENT": "staging_2",
    "LOG_LEVEL": "DEBUG",
    "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "Authorization=Basic%20c2stMQ==, x-team = one,,",
    "OTEL_HEADERS_SECRET_ARN": "team/otlp",
    "TRACE_CONTENT": "metadata",
    "TRACE_EXPORT": "before",
    "URL_AUTH": "iam",
    "TRACE_SPOOL": "log",
}

WRONG = {
    "BEDROCK_REGION": ["Europe", "us-east", "us east 1", "us-gov-west-1.example.com"],
    "MAX_TOKENS": ["0", "-1", "many", "1.5", "²", "1" * 5000],
    "MAX_TURNS": ["0"],
    "LOG_LEVEL": ["LOUD"],
    "LANGFUSE_HOST": [
        "langfuse.com",
        "ftp://langfuse.com",
        "https://",
        "http://[::1",
        "https://langfuse.com:x",
        "https://pk:sk-1@langfuse.com",
    ],
    "LANGFUSE_BASE_URL": ["x"],
    "LANGFUSE_PROMPT": ["@latest", "a@b@c", "a@B"],
    "LANGFUSE_PROJECT_ID": ["a/b", "a b", "x" * 101],
    "LANGFUSE_SECRET_ARN": ["arn:aws:s3:::keys", "my keys"],
    "LANGFUSE_TRACING_ENVIRONMENT": ["Production", "langfuse-x", "x" * 41],
    "LANGFUSE_SAMPLE_RATE": ["2", "-0.1", "nan", "half"],
    "LANGFUSE_TRACING_ENABLED": ["maybe"],
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": ["collector:4318", "https://user:sk-1@collector:4318"],
    "OTEL_EXPORTER_OTLP_TRACES_HEADERS": ["Bearer sk-1", "a=1,sk-1", "=sk-1"],
    "TRACE_EXPORT": ["during"],
    "TRACE_EXPORT_TIMEOUT_S": ["0", "61", "nan"],
    "TRACE_CONTENT": ["none"],
    "TRACE_SPOOL": ["s3"],
    "STREAMING": ["2"],
}


def name(setting):
    return setting.metadata["names"][0]


@pytest.mark.parametrize("setting", fields(Settings), ids=name)
def test_what_is_spelled_is_read_back(setting):
    settings = Settings.from_env({name(setting): CHOICES.get(name(setting), VALUES[setting.type])})
    assert Settings.from_env(settings.to_env()) == settings


def test_a_missing_or_empty_value_takes_its_default():
    assert Settings.from_env({}) == Settings.from_env({"MAX_TOKENS": "", "LANGFUSE_HOST": "  "}) == Settings()
    assert Settings().to_env() == {}


@pytest.mark.parametrize(
    ("variable", "value"), [(name, value) for name, values in WRONG.items() for value in values]
)
def test_an_invalid_value_is_rejected_in_one_line_that_names_the_variable(variable, value):
    with pytest.raises(SettingsError) as refused:
        Settings.from_env({variable: value})
    assert str(refused.value).startswith(f"{variable} must be ")
    assert "\n" not in str(refused.value)
    assert "sk-1" not in str(refused.value), "an invalid secret is not printed"


def test_langfuse_base_url_is_read_too():
    assert (
        Settings.from_env({"LANGFUSE_BASE_URL": "https://eu.example.com/"}).langfuse_host
        == "https://eu.example.com"
    )


def test_secrets_do_not_show_when_settings_are_printed():
    settings = Settings.from_env(
        {"LANGFUSE_SECRET_KEY": "sk-1", "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "auth=sk-1"}
    )
    assert "sk-1" not in repr(settings)


def test_reading_settings_imports_nothing_heavy():
    code = "import sys, traced_agent.settings; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not {"boto3", "botocore", "strands", "pydantic", "opentelemetry", "asyncio"} & set(modules.split())


def test_what_is_given_of_a_setting_is_the_strongest_of_its_variables():
    environ = {"LANGFUSE_HOST": " ", "LANGFUSE_BASE_URL": "https://b.example.com"}

    assert Settings.given("langfuse_host", environ) == "https://b.example.com"
    assert Settings.given("langfuse_host", {**environ, "LANGFUSE_HOST": "any"}) == "any"
    assert Settings.given("otlp_endpoint", environ) == ""
