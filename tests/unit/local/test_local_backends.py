import json

import pytest

from tools.command import Failure
from tools.local.cloud import backends
from tools.local.fakes.bedrock_server import FakeBedrock
from tools.local.fakes.langfuse_server import FakeLangfuse

MODEL = "AWS_ENDPOINT_URL_BEDROCK_RUNTIME"


@pytest.fixture(scope="module")
def bedrock():
    with FakeBedrock() as server:
        yield server


@pytest.fixture(scope="module")
def langfuse():
    with FakeLangfuse() as server:
        yield server


def secret(found):
    (value,) = found.secrets.values()
    return value


def test_without_settings_everything_stays_on_this_machine(bedrock, langfuse):
    model = backends.model({}, bedrock, real=False, region="us-east-1")
    assert model.environment == {MODEL: bedrock.url}
    traces = backends.traces({}, langfuse)
    assert traces.context["langfuse_host"] == langfuse.url
    assert json.loads(secret(traces))["LANGFUSE_SECRET_KEY"] == langfuse.secret_key


def test_the_users_langfuse_is_used_and_its_key_goes_to_the_secret_only(langfuse):
    environ = {
        "LANGFUSE_PUBLIC_KEY": "pk-own",
        "LANGFUSE_SECRET_KEY": "sk-own",
        "LANGFUSE_HOST": "https://langfuse.example",
        "LANGFUSE_RELEASE": "r1",
    }
    traces = backends.traces(environ, langfuse)
    assert traces.context == {
        "langfuse_host": "https://langfuse.example",
        "langfuse_release": "r1",
        "langfuse_secret": "local/langfuse",
    }
    assert json.loads(secret(traces)) == {"LANGFUSE_PUBLIC_KEY": "pk-own", "LANGFUSE_SECRET_KEY": "sk-own"}


@pytest.mark.parametrize("half", ["LANGFUSE_PUBLIC_KEY", "LANGFUSE_SECRET_KEY"])
def test_one_key_of_a_pair_is_not_enough(langfuse, half):
    assert backends.traces({half: "own"}, langfuse).context["langfuse_host"] == langfuse.url


def test_the_users_collector_has_priority_and_its_headers_go_to_a_secret(langfuse):
    environ = {
        "LANGFUSE_PUBLIC_KEY": "pk-own",
        "LANGFUSE_SECRET_KEY": "sk-own",
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://otlp.example/v1/traces",
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "api-key=canary",
    }
    traces = backends.traces(environ, langfuse)
    assert "langfuse_secret" not in traces.context
    assert traces.context["otlp_endpoint"] == "https://otlp.example/v1/traces"
    assert secret(traces) == "api-key=canary"
    assert "canary" not in json.dumps(dict(traces.context))


def test_the_users_bedrock_endpoint_is_used_with_the_users_credentials(bedrock):
    environ = {MODEL: "http://localhost:1", "AWS_ACCESS_KEY_ID": "AK", "AWS_SECRET_ACCESS_KEY": "SK"}
    found = backends.model(environ, bedrock, real=False, region="us-east-1").environment
    assert found == {**environ, "AWS_SESSION_TOKEN": ""}
    assert backends.model(
        {MODEL: "http://localhost:1"}, bedrock, real=False, region="us-east-1"
    ).environment == {MODEL: "http://localhost:1"}


def test_the_real_bedrock_is_asked_in_the_stacks_region(bedrock):
    token = {"AWS_BEARER_TOKEN_BEDROCK": "key"}
    found = backends.model(token, bedrock, real=True, region="eu-west-1").environment
    assert found == {MODEL: "https://bedrock-runtime.eu-west-1.amazonaws.com", **token}


def test_the_real_bedrock_without_credentials_is_reported_with_the_remedy(bedrock):
    with pytest.raises(Failure, match="aws configure sso"):
        backends.model({}, bedrock, real=True, region="us-east-1")
