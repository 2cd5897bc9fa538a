"""The deployment's guardrail and fallback model are applied to the owner's model."""

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from strands import Agent, ModelRetryStrategy
from strands.models import BedrockModel
from strands.types.exceptions import ModelThrottledException

from traced_agent import bedrock_options, models
from traced_agent.run_agents import RunAgents
from traced_agent.settings import Settings, SettingsError
from traced_agent.testing import ScriptedModel, ToolUse


def client_error(code):
    return ClientError({"Error": {"Code": code, "Message": ""}}, "ConverseStream")


class BreaksOff(ScriptedModel):
    """Fails after its first text."""

    async def stream(self, *args, **kwargs):
        async for event in super().stream(*args, **kwargs):
            yield event
            if "contentBlockDelta" in event:
                raise ModelThrottledException("slow down")


def ask(primary, fallback, query="Hello"):
    bedrock_options.add_fallback(primary, fallback, "fallback-id")
    run = RunAgents(10, 1000)
    agent = Agent(model=primary, callback_handler=None, retry_strategy=ModelRetryStrategy(max_attempts=1))
    with run.observing():
        return str(agent(query)).strip(), run


@pytest.mark.parametrize(
    "error",
    [
        ModelThrottledException("slow down"),
        client_error("ServiceUnavailableException"),
        client_error("modelNotReadyException"),
        EndpointConnectionError(endpoint_url="https://bedrock"),
    ],
)
def test_a_run_uses_the_fallback_when_the_model_is_unavailable(error):
    answer, run = ask(ScriptedModel(error), ScriptedModel("From the fallback."))
    assert (answer, run.fallback_model_id) == ("From the fallback.", "fallback-id")


def test_a_run_stays_with_the_fallback():
    primary = ScriptedModel(ModelThrottledException("slow down"), "Too late.")
    answer, _ = ask(primary, ScriptedModel(ToolUse("unknown"), "From the fallback."))
    assert (answer, len(primary.requests)) == ("From the fallback.", 1)


def test_without_a_failure_the_fallback_is_not_called():
    fallback = ScriptedModel("From the fallback.")
    answer, run = ask(ScriptedModel("First."), fallback)
    assert (answer, run.fallback_model_id, fallback.requests) == ("First.", None, [])


@pytest.mark.parametrize("error", [client_error("ValidationException"), ValueError("a bug")])
def test_other_errors_do_not_switch_models(error):
    fallback = ScriptedModel("From the fallback.")
    with pytest.raises(Exception, match=r"ValidationException|a bug"):
        ask(ScriptedModel(error), fallback)
    assert fallback.requests == []


def test_after_text_was_streamed_the_fallback_is_not_used():
    fallback = ScriptedModel("From the fallback.")
    with pytest.raises(ModelThrottledException):
        ask(BreaksOff("First part."), fallback)
    assert fallback.requests == []


def test_an_error_of_the_fallback_is_the_error_of_the_run():
    with pytest.raises(ClientError, match="AccessDenied"):
        ask(
            ScriptedModel(ModelThrottledException("slow down")),
            ScriptedModel(client_error("AccessDeniedException")),
        )


def bedrock(settings, _session):
    return BedrockModel(model_id=settings.bedrock_model_id, region_name="us-east-1")


def test_a_guardrail_is_applied_to_the_model_and_its_fallback():
    settings = Settings(guardrail="gr123:4", fallback_model_id="us.amazon.nova-lite-v1:0")
    model = models.build(bedrock, settings, None)
    assert (model.config["guardrail_id"], model.config["guardrail_version"]) == ("gr123", "4")
    assert models.model_id(model) == settings.bedrock_model_id


def test_a_guardrail_without_a_bedrock_model_fails_the_init():
    with pytest.raises(SettingsError, match="GUARDRAIL needs a BedrockModel"):
        models.build(lambda *_: ScriptedModel("x"), Settings(guardrail="gr123:4"), None)


@pytest.mark.parametrize(
    ("variable", "value"),
    [("GUARDRAIL", "gr123"), ("GUARDRAIL", "gr123:latest"), ("KNOWLEDGE_BASE_ID", "kb")],
)
def test_an_invalid_setting_is_rejected_with_its_format(variable, value):
    with pytest.raises(SettingsError, match=f"{variable} must be .* like|{variable} must be .* ten"):
        Settings.from_env({variable: value})
