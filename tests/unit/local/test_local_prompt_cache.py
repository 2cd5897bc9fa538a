"""Cached tokens of the model reach the answer's usage and the metrics."""

import json

import boto3
import pytest
from strands import Agent
from strands.models import BedrockModel, CacheConfig

from tools.local.fakes.bedrock_server import FakeBedrock
from traced_agent.handler import Handler
from traced_agent.settings import Settings
from traced_agent.tracing.tracer import RunTracer


class Finished:
    def finish(self, *_told):
        pass


class Context:
    aws_request_id = "r"

    def get_remaining_time_in_millis(self):
        return 30_000


@pytest.fixture
def ask():
    """Asks an agent with prompt caching and a system prompt of so many words; gives the usage."""
    with FakeBedrock() as bedrock:
        session = boto3.Session("x", "x", region_name="us-east-1")
        model = BedrockModel(
            boto_session=session,
            endpoint_url=bedrock.url,
            model_id="us.anthropic.claude-sonnet-4-6",
            cache_config=CacheConfig(strategy="auto"),
        )

        def ask(words):
            def build(**given):
                return Agent(model=model, system_prompt="word " * words, callback_handler=None)

            handler = Handler(Settings(), build, RunTracer(), Finished())
            return json.loads(handler({"query": "Hello"}, Context())["body"])["usage"]

        yield ask


def test_the_first_call_writes_the_cache_and_the_next_reads_it(ask, capsys):
    first, second = ask(2000), ask(2000)
    assert first["cacheWriteInputTokens"] == second["cacheReadInputTokens"] > 1024
    assert "cacheReadInputTokens" not in first
    assert first["totalTokens"] == second["totalTokens"]
    metrics = capsys.readouterr().out
    assert f'"CacheWriteTokens": {first["cacheWriteInputTokens"]}' in metrics
    assert f'"CacheReadTokens": {second["cacheReadInputTokens"]}' in metrics


def test_a_short_prompt_is_not_cached(ask):
    assert set(ask(10)) == {"inputTokens", "outputTokens", "totalTokens"}
