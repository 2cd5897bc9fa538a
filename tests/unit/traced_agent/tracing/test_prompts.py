"""The system prompt comes from Langfuse if it can be fetched, otherwise from the agent's code."""

import pytest
from strands import Agent

from tools.local.fakes.langfuse_server import FakeLangfuse
from traced_agent.testing import ScriptedModel
from traced_agent.tracing.langfuse_api import LangfuseApi
from traced_agent.tracing.prompts import PromptSource
from traced_agent.tracing.tracer import RunTracer


@pytest.fixture
def langfuse():
    with FakeLangfuse() as langfuse:
        yield langfuse


class Fetched:
    """A prompt source with a clock of its own; remembers the metrics."""

    def __init__(self, langfuse, prompt="assistant"):
        self.now = 1000.0
        self.metrics = []
        api = LangfuseApi(langfuse.url, langfuse.public_key, langfuse.secret_key, {})
        self.source = PromptSource(prompt, lambda: api, clock=lambda: self.now, emit=self.metrics.append)

    @property
    def text(self):
        return self.source.current and self.source.current.text


@pytest.mark.parametrize(
    ("prompt", "label"), [("team/assistant", "production"), ("team/assistant@latest", "latest")]
)
def test_the_prompt_with_the_label_is_used(langfuse, prompt, label):
    langfuse.records.prompts["team/assistant", label] = {"prompt": "Be brief.", "version": 3}
    fetched = Fetched(langfuse, prompt)
    fetched.source.fetch()
    assert fetched.text == "Be brief."
    assert fetched.source.current.attributes == {
        "langfuse.observation.prompt.name": "team/assistant",
        "langfuse.observation.prompt.version": 3,
    }
    assert fetched.metrics == []


def test_a_chat_prompt_with_one_system_message_is_used(langfuse):
    messages = [{"role": "system", "content": "Be brief."}]
    langfuse.records.prompts["assistant", "production"] = {"type": "chat", "prompt": messages, "version": 1}
    fetched = Fetched(langfuse)
    fetched.source.fetch()
    assert fetched.text == "Be brief."


@pytest.mark.parametrize(
    ("stored", "says"),
    [
        (None, "Prompt not found"),
        ({"prompt": "", "version": 1}, "must be a text prompt"),
        ({"prompt": None, "version": 1}, "must be a text prompt"),
        ({"prompt": [{"role": "user", "content": "x"}], "version": 1}, "must be a text prompt"),
        ({"prompt": [{"role": "system", "content": "x"}] * 2, "version": 1}, "must be a text prompt"),
        ({"prompt": "x", "version": "1"}, "no version number"),
        ({"prompt": "x", "version": True}, "no version number"),
    ],
)
def test_a_missing_or_malformed_prompt_leads_to_the_fallback_one_line_and_a_metric(
    langfuse, caplog, stored, says
):
    if stored:
        langfuse.records.prompts["assistant", "production"] = stored
    fetched = Fetched(langfuse)
    fetched.source.fetch()
    fetched.source.fetch()
    assert fetched.text is None
    assert caplog.text.count("is not available") == 1
    assert says in caplog.text
    assert fetched.metrics == [{"PromptFallbacks": 1}] * 2


@pytest.mark.parametrize("fault", ["hang", "drip", "close", "html", "unavailable", "unauthorized"])
def test_a_server_that_fails_delays_init_at_most_for_the_limit(langfuse, caplog, fault):
    langfuse.api_faults.inject(fault)
    fetched = Fetched(langfuse)
    fetched.source.fetch(0.5)
    assert fetched.text is None
    assert "the system prompt of the agent's code" in caplog.text


def test_a_new_version_is_used_after_a_minute_and_a_failure_keeps_the_old_one(langfuse, caplog):
    prompts = langfuse.records.prompts
    prompts["assistant", "production"] = {"prompt": "one", "version": 1}
    fetched = Fetched(langfuse)
    fetched.source.fetch()
    prompts["assistant", "production"] = {"prompt": "two", "version": 2}
    fetched.now += 59
    fetched.source.refresh(5)
    assert fetched.text == "one"
    fetched.now += 1
    fetched.source.refresh(0)
    assert fetched.text == "one", "there is no time left"
    fetched.source.refresh(5)
    assert fetched.text == "two"
    del prompts["assistant", "production"]
    fetched.now += 60
    fetched.source.refresh(5)
    assert fetched.text == "two"
    assert "used=<version 2>" in caplog.text


def test_the_agent_of_a_run_gets_the_prompt_and_keeps_its_own_without_one(langfuse):
    tracer = RunTracer()
    agent = Agent(ScriptedModel("x"), system_prompt="mine", callback_handler=None)
    assert tracer.apply_prompt(agent).system_prompt == "mine"
    langfuse.records.prompts["assistant", "production"] = {"prompt": "theirs", "version": 1}
    fetched = Fetched(langfuse)
    tracer.prompts = fetched.source
    fetched.source.fetch()
    assert tracer.apply_prompt(agent).system_prompt == "theirs"
    other = object()
    assert tracer.apply_prompt(other) is other
