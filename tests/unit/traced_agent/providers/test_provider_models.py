"""Models of OpenAI and Anthropic, by their own packages, against servers that answer or fail."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from strands import Agent

from tests.unit.traced_agent.conftest import Context, url_event
from tools.local.fakes.provider_servers import FakeAnthropic, FakeOpenAi, FakeProvider
from tools.local.http.server import LOOPBACK, HttpServer, free_port
from traced_agent import create_handler
from traced_agent.secrets import SecretError, read_json

KEY = "sk-canary-of-the-provider"
ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:provider"


def openai_model(url: str, **client):
    from strands.models.openai import OpenAIModel  # it takes more than a second to import

    return OpenAIModel(
        client_args={"base_url": f"{url}/v1", "max_retries": 0, **client}, model_id="gpt-fake", params={}
    )


def anthropic_model(url: str, **client):
    from strands.models.anthropic import AnthropicModel  # it takes more than a second to import

    return AnthropicModel(
        client_args={"base_url": url, "max_retries": 0, **client}, model_id="claude-fake", max_tokens=100
    )


@dataclass
class Deployed:
    """A function whose model is at the provider."""

    provider: FakeProvider
    make_model: object
    model_id: str

    def handler(self, url: str = "", api_key=lambda: KEY, **client):
        """The handler, as `lambda_handler.py` creates it."""
        return create_handler(
            lambda settings, session: self.make_model(url or self.provider.url, api_key=api_key(), **client),
            lambda model, **options: Agent(model=model, retry_strategy=None, **options),
            {"BEDROCK_REGION": "us-east-1"},
        )

    def ask(self, handler=None, *, seconds: float = 30.0) -> tuple[int, dict, dict]:
        """Status, body and headers of a response."""
        response = (handler or self.handler())(url_event({"query": "What is 2+2?"}), Context(seconds))
        return response["statusCode"], json.loads(response["body"]), response["headers"]


@pytest.fixture(scope="module", params=["openai", "anthropic"])
def running(request) -> Iterator[Deployed]:
    kind, make_model, model_id = {
        "openai": (FakeOpenAi, openai_model, "gpt-fake"),
        "anthropic": (FakeAnthropic, anthropic_model, "claude-fake"),
    }[request.param]
    with kind() as provider:
        yield Deployed(provider, make_model, model_id)


@pytest.fixture
def function(running: Deployed) -> Iterator[Deployed]:
    yield running
    running.provider.fault = ""


@pytest.fixture
def secrets(monkeypatch) -> Iterator[list[dict]]:
    """Secrets Manager; the last value of the list is the secret's."""
    values: list[dict] = []

    def respond(exchange) -> None:
        exchange.body()
        answer = {"ARN": ARN, "SecretString": json.dumps(values[-1])}
        exchange.answer(200, json.dumps(answer).encode(), "application/x-amz-json-1.1")

    with HttpServer(respond) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", server.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
        yield values


def test_the_answer_names_the_actual_model_and_its_tokens(function: Deployed) -> None:
    handler = function.handler()
    status, body, _ = function.ask(handler)
    health = handler(url_event(method="GET", path="/health"), Context())

    assert (status, body["response"], body["model_id"]) == (200, "The answer is 4.", function.model_id)
    assert body["usage"] == {"inputTokens": 11, "outputTokens": 7, "totalTokens": 18}
    assert json.loads(health["body"])["model_id"] == function.model_id
    assert function.provider.requests[-1][0] == KEY


def test_text_is_streamed_as_it_is_generated(function: Deployed) -> None:
    streamed: list[str] = []
    model = function.make_model(function.provider.url, api_key=KEY)
    agent = Agent(model=model, callback_handler=lambda **event: streamed.append(event.get("data", "")))

    assert str(agent("What is 2+2?")).strip() == "The answer is 4."
    assert [text for text in streamed if text] == ["The answer ", "is 4."]


@pytest.mark.parametrize(
    ("fault", "error", "message"),
    [
        ("bad_request", (502, "model_error"), "rejected the request"),
        ("key", (502, "model_access_denied"), "rejected the key"),
        ("unknown_model", (502, "model_error"), "does not know"),
        ("throttle", (429, "model_throttled"), "throttles"),
        ("fail", (502, "model_error"), "failed (500)"),
        ("garbage", (502, "model_error"), "send the query again"),
        ("page", (502, "model_error"), "send the query again"),
        ("break", (502, "model_error"), "did not answer"),
    ],
)
def test_an_error_of_the_provider_uses_the_error_envelope(
    function: Deployed, fault: str, error: tuple[int, str], message: str
) -> None:
    function.provider.fault = fault
    status, body, headers = function.ask()

    assert (status, body["error"]["code"]) == error
    assert not body["success"]
    assert message in body["error"]["message"]
    assert KEY not in json.dumps(body)
    if fault == "throttle":
        assert headers["retry-after"] == "7"


def test_a_refused_connection_is_a_model_error(function: Deployed) -> None:
    status, body, _ = function.ask(function.handler(f"http://{LOOPBACK}:{free_port()}"))

    assert (status, body["error"]["code"]) == (502, "model_error")
    assert f"The provider of {function.model_id} cannot be reached" in body["error"]["message"]


def test_a_provider_that_hangs_ends_at_the_deadline(function: Deployed) -> None:
    function.provider.fault = "hang"
    status, body, _ = function.ask(seconds=2)

    assert (status, body["error"]["code"]) == (504, "deadline_exceeded")


def test_a_provider_that_exceeds_the_timeout_of_its_client_is_a_model_error(function: Deployed) -> None:
    function.provider.fault = "hang"
    status, body, _ = function.ask(function.handler(timeout=0.3))

    assert (status, body["error"]["code"]) == (502, "model_error")


def test_the_key_comes_from_the_secret(function: Deployed, secrets: list[dict]) -> None:
    secrets.append({"api_key": "sk-from-the-secret"})
    name = f"{ARN}-{function.model_id}"  # each secret is read once per process

    assert function.ask(function.handler(api_key=lambda: read_json(name, "api_key")["api_key"]))[0] == 200
    assert function.provider.requests[-1][0] == "sk-from-the-secret"


@pytest.mark.parametrize("content", [{}, {"api_key": ""}, {"other": KEY}, [KEY]])
def test_a_missing_key_in_the_secret_stops_init_with_one_line(
    function: Deployed, secrets: list, content
) -> None:
    secrets.append(content)
    name = f"{ARN}-{function.model_id}-{os.urandom(4).hex()}"
    with pytest.raises(SecretError, match="has no api_key: it must be a JSON object") as raised:
        function.handler(api_key=lambda: read_json(name, "api_key")["api_key"])

    assert name in str(raised.value)
    assert KEY not in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("content", [{}, [KEY]])
def test_a_secret_that_is_read_whole_must_be_an_object(secrets: list, content) -> None:
    secrets.append(content)
    with pytest.raises(SecretError, match="is empty or not a JSON object") as raised:
        read_json(f"{ARN}-whole-{os.urandom(4).hex()}")

    assert KEY not in str(raised.value)
