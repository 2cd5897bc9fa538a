"""Your agent: its model, its system prompt and its tools. Edit this file."""

from collections.abc import Callable
from typing import Any

import boto3
from botocore.config import Config
from strands import Agent
from strands.models import BedrockModel, CacheConfig, Model
from strands.session import SessionManager

from agent_tools import calculator, convert_units, current_time
from traced_agent import Settings

SYSTEM_PROMPT = """\
You are a helpful assistant. Answer briefly and in the language of the question.
Use your tools for arithmetic, the time and unit conversions rather than guessing.
"""

TOOLS = [calculator, current_time, convert_units]
"""Functions with Strands' `@tool` decorator; their docstrings tell the model when to use them."""

SUGGESTIONS = [
    "What is 17 % of 2,340?",
    "What time is it in Tokyo?",
    "How many miles is a marathon of 42.195 km?",
]
"""Questions that the page offers; remove the list to offer none."""


def build_model(settings: Settings, session: boto3.Session) -> Model:
    """Build the model; called once per execution environment."""
    return BedrockModel(
        boto_session=session,
        boto_client_config=Config(
            connect_timeout=3, read_timeout=60, retries={"mode": "standard", "total_max_attempts": 2}
        ),
        model_id=settings.bedrock_model_id,
        max_tokens=settings.max_tokens,
        cache_config=CacheConfig(strategy="auto"),  # prompt caching, for models that support it
    )


def build_agent(
    model: Model,
    *,
    callback_handler: Callable[..., Any] | None = None,
    session_manager: SessionManager | None = None,
) -> Agent:
    """Build a new agent; called for each request, because a shared agent would mix conversations.

    Args:
        model: what `build_model` returned.
        callback_handler: receives the answer's text while it is generated.
        session_manager: loads and stores the conversation, when sessions are on.
    """
    return Agent(
        model=model,
        system_prompt=SYSTEM_PROMPT,
        tools=list(TOOLS),
        callback_handler=callback_handler,
        session_manager=session_manager,
        retry_strategy=None,  # botocore makes two attempts already; attempts of both layers would multiply
    )
