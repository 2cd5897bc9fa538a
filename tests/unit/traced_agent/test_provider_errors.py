"""Errors of every model provider use the API's error envelope."""

import pytest
from botocore.exceptions import EndpointConnectionError
from strands.types.exceptions import (
    ContextWindowOverflowException,
    EventLoopException,
    ModelThrottledException,
)

from traced_agent.errors import ApiError
from traced_agent.provider_errors import to_api_error


class FakeResponse:
    def __init__(self, status_code, **headers):
        self.status_code, self.headers = status_code, headers


def error_of(package, name="APIStatusError", status=None, **headers):
    kind = type(name, (Exception,), {"__module__": f"{package}._exceptions"})
    error = kind("Incorrect API key provided: sk-proj-canary")
    if status:
        error.status_code, error.response = status, FakeResponse(status, **headers)
    return error


@pytest.mark.parametrize("package", ["openai", "anthropic", "litellm", "mistralai", "httpx"])
@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "model_error"),
        (401, "model_access_denied"),
        (403, "model_access_denied"),
        (404, "model_error"),
        (408, "model_error"),
        (429, "model_throttled"),
        (500, "model_error"),
        (529, "model_error"),
    ],
)
def test_a_status_of_the_provider_has_its_code(package, status, code):
    error = to_api_error(error_of(package, status=status), "gpt-5")
    assert error.code == code
    assert "gpt-5" in error.message
    assert "canary" not in error.message


@pytest.mark.parametrize(
    "error",
    [
        error_of("openai", "APIConnectionError"),
        error_of("anthropic", "APITimeoutError"),
        error_of("httpx", "ReadTimeout"),
        ConnectionError("Failed to connect to Ollama"),
        TimeoutError(),
    ],
)
def test_a_provider_that_cannot_be_reached_is_a_model_error(error):
    found = to_api_error(error, "llama3")
    assert (found.code, "cannot be reached" in found.message) == ("model_error", True)


def test_the_cause_of_strands_exceptions_is_found():
    throttled = ModelThrottledException("slow down")
    throttled.__cause__ = error_of("openai", "RateLimitError", 429, **{"retry-after": "7"})
    outer = EventLoopException(throttled)
    outer.__cause__ = throttled
    found = to_api_error(outer, "gpt-5")
    assert (found.code, found.headers) == ("model_throttled", {"retry-after": "7"})


@pytest.mark.parametrize("named", ["", "soon", "-1", "99999999"])
def test_without_a_usable_time_the_client_waits_5_to_15_s(named):
    found = to_api_error(error_of("openai", status=429, **{"retry-after": named}), "gpt-5")
    assert 5 <= int(found.headers["retry-after"]) <= 15


@pytest.mark.parametrize(
    "error",
    [
        ValueError("a bug"),
        ModelThrottledException("Bedrock"),
        EndpointConnectionError(endpoint_url="https://bedrock"),
        ApiError("session_busy", "wait"),
        ContextWindowOverflowException("too long"),
    ],
)
def test_other_errors_have_their_own_rules(error):
    assert to_api_error(error, "gpt-5") is None


def test_a_run_reports_a_refused_connection_as_a_model_error(calling):
    status, body, _ = calling(ConnectionError("refused")).post({"query": "Hello"})
    assert (status, body["error"]["code"]) == (502, "model_error")
