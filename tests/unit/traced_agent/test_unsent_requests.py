"""Requests that the AWS SDK rejects before it sends them, through the real handler and model."""

import functools
from dataclasses import replace

import boto3
import pytest
from botocore.config import Config
from strands.models import BedrockModel

from tests.example_agent.src.agent import build_agent
from traced_agent.aws import boto3_session
from traced_agent.settings import SettingsError

NOT_SENT = "was not sent"
NO_ENDPOINT = "AWS_ENDPOINT_URL_BEDROCK_RUNTIME"


@pytest.fixture
def ask(calling):
    """Asks a `BedrockModel` with this configuration; returns the status and the error."""

    def ask(*, region="us-east-1", endpoint_url="http://127.0.0.1:9", **config):
        called = calling()
        model = BedrockModel(
            boto_session=boto3.Session("any", "any", region_name=region),
            boto_client_config=Config(connect_timeout=2, retries={"total_max_attempts": 1}),
            endpoint_url=endpoint_url,
            **config,
        )
        called.handler = replace(called.handler, new_agent=functools.partial(build_agent, model))
        status, body, _ = called.post({"query": "Hi"})
        return status, body["error"]

    return ask


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"temperature": "hot"}, NOT_SENT),
        ({"max_tokens": "many"}, NOT_SENT),
        ({"model_id": ""}, NOT_SENT),
        ({"endpoint_url": "ftp://127.0.0.1"}, NO_ENDPOINT),
        ({"endpoint_url": "http://127.0.0.1:9"}, "cannot be reached"),
    ],
)
def test_an_error_before_sending_is_not_reported_as_a_missing_response(ask, config, words):
    status, error = ask(**config)
    assert (status, error["code"]) == (502, "model_error")
    assert words in error["message"]
    assert "did not answer" not in error["message"]


@pytest.mark.parametrize(
    "value",
    ["not a url", "http://", "http://[::1", "http://host name/", "ftp://host", "http://127.0.0.1:99999"],
)
@pytest.mark.parametrize("variable", ["AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "AWS_ENDPOINT_URL"])
def test_an_invalid_endpoint_is_rejected_with_the_name_of_its_variable(variable, value):
    with pytest.raises(SettingsError, match=rf"{variable} must be an address such as https://") as rejected:
        boto3_session.check_endpoint({variable: value})
    assert "\n" not in str(rejected.value)


@pytest.mark.parametrize("value", ["", "http://127.0.0.1:4566", "http://[::1]:80/", "https://vpce-1.bedrock"])
def test_an_endpoint_that_is_an_address_is_accepted(value):
    boto3_session.check_endpoint({"AWS_ENDPOINT_URL_BEDROCK_RUNTIME": value})
