"""Options of the deployment that change the owner's Bedrock model: a guardrail and a fallback model."""

import functools
import logging
from collections.abc import AsyncIterable, AsyncIterator
from typing import Any

from botocore.exceptions import (
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's own
    HTTPClientError,
)
from opentelemetry import trace
from strands.models import BedrockModel, Model
from strands.types.exceptions import ModelThrottledException

from traced_agent import run_agents
from traced_agent.settings import SettingsError

_UNAVAILABLE = (
    "throttlingexception",
    "servicequotaexceededexception",
    "serviceunavailableexception",
    "modelnotreadyexception",
    "modeltimeoutexception",
    "internalserverexception",
)
"""In a stream the names begin with a small letter. Source: the Errors section of ConverseStream."""

_CONTENT = ("contentBlockStart", "contentBlockDelta")

logger = logging.getLogger(__name__)


def apply_guardrail(model: Model, guardrail: str) -> None:
    """Have Bedrock check the model's input and output with a guardrail.

    Args:
        model: what the owner's `build_model` returned.
        guardrail: its id and version, `ID:VERSION`.

    Raises:
        SettingsError: the model is not a `BedrockModel`, so no guardrail can be applied.
    """
    if not isinstance(model, BedrockModel):
        raise SettingsError(
            "GUARDRAIL needs a BedrockModel: build_model returns another model, which would run without it"
        )
    identifier, _, version = guardrail.partition(":")
    model.update_config(guardrail_id=identifier, guardrail_version=version)


def add_fallback(model: Model, fallback: Model, fallback_model_id: str) -> None:
    """Have a run switch to another model, once, when the first is throttled or unavailable.

    `model.stream` is replaced, so that code that reads the model's class or configuration works as before. A
    run switches only before the model's first content, and then uses the fallback until its end.

    Args:
        model: the model of all runs.
        fallback: the model to switch to.
        fallback_model_id: its id, as answers report it.
    """
    stream = model.stream

    @functools.wraps(stream)
    async def stream_or_fall_back(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        run = run_agents.current()
        if not (run and run.fallback_model_id):
            beginning = _Beginning()
            try:
                async for event in beginning.hold_back(stream(*args, **kwargs)):
                    yield event
            except Exception as error:
                if beginning.has_content or not _is_unavailable(error):
                    raise
            else:
                return
            logger.warning("the model is throttled or unavailable: this run uses %s", fallback_model_id)
            if run:
                run.fallback_model_id = fallback_model_id
        trace.get_current_span().set_attribute("gen_ai.request.model", fallback_model_id)
        async for event in fallback.stream(*args, **kwargs):
            yield event

    model.stream = stream_or_fall_back  # type: ignore[method-assign]


class _Beginning:
    """The events before the first content: they are dropped if the run switches models."""

    def __init__(self) -> None:
        self.has_content = False

    async def hold_back(self, events: AsyncIterable[Any]) -> AsyncIterator[Any]:
        """Pass the events on, those before the first content only when it comes."""
        held: list[Any] = []
        async for event in events:
            held.append(event)
            self.has_content = self.has_content or any(name in event for name in _CONTENT)
            if self.has_content:
                for ready in held:
                    yield ready
                held.clear()
        for ready in held:
            yield ready


def _is_unavailable(error: Exception) -> bool:
    if isinstance(error, ClientError):
        return error.response["Error"]["Code"].lower() in _UNAVAILABLE
    return isinstance(error, (ModelThrottledException, ConnectionError, HTTPClientError))
