"""What a deployment adds to an agent: a guardrail, a fallback model, a knowledge base."""

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import boto3
from strands.models import Model

from traced_agent.settings import Settings

BuildModel = Callable[[Settings, boto3.Session], Model]
"""Builds the model, once per execution environment."""


def build(build_model: BuildModel, settings: Settings, session: boto3.Session) -> Model:
    """Build the owner's model, and apply what the deployment adds to it.

    Raises:
        SettingsError: a guardrail is configured, but the model is not a `BedrockModel`.
    """
    model = build_model(settings, session)
    if not (settings.guardrail or settings.fallback_model_id):
        return model
    from traced_agent import bedrock_options  # noqa: PLC0415 - only when one of them is on

    if settings.guardrail:
        bedrock_options.apply_guardrail(model, settings.guardrail)
    if settings.fallback_model_id:
        fallback = build_model(replace(settings, bedrock_model_id=settings.fallback_model_id), session)
        if settings.guardrail:
            bedrock_options.apply_guardrail(fallback, settings.guardrail)
        bedrock_options.add_fallback(model, fallback, settings.fallback_model_id)
    return model


def model_id(model: Model) -> str | None:
    """The id in the model's own configuration; None if it has none."""
    config = model.get_config()
    return config.get("model_id") if isinstance(config, dict) else getattr(config, "model_id", None)


def knowledge_base_search(
    settings: Settings, session: Callable[[], boto3.Session]
) -> Callable[[Any], None] | None:
    """A function that gives an agent the tool that searches the knowledge base; None without one."""
    if not settings.knowledge_base_id:
        return None
    from traced_agent import knowledge_base  # noqa: PLC0415 - only with a knowledge base

    tool = knowledge_base.search_tool(settings.knowledge_base_id, session)
    return functools.partial(knowledge_base.add_search, search=tool)
