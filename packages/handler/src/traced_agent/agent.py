"""The agent: its model, its prompt, its tools. This is the page to edit."""

from collections.abc import Callable, Sequence
from typing import Any

import boto3
from botocore.config import Config
from strands import Agent, ModelRetryStrategy
from strands.models import BedrockModel, Model
from strands.session import SessionManager

from traced_agent.settings import Settings
from traced_agent.tools import calculator, convert_units, current_time

SYSTEM_PROMPT = """\
You are a helpful assistant. Answer briefly and in the language of the question.
Use your tools for arithmetic, the time and unit conversions rather than guessing.
"""

TOOLS = [calculator, current_time, convert_units]
"""Functions under Strands' `@tool`; their docstrings tell the model when to use them."""


def build_model(settings: Settings, session: boto3.Session) -> Model:
    """The model, with its client; made once, at init."""
    return BedrockModel(
        boto_session=session,
        boto_client_config=Config(
            connect_timeout=3, read_timeout=60, retries={"mode": "standard", "total_max_attempts": 2}
        ),
        model_id=settings.bedrock_model_id,
        max_tokens=settings.max_tokens,
    )


def build_agent(
    model: Model,
    *,
    tools: Sequence[Any] = TOOLS,
    callback_handler: Callable[..., Any] | None = None,
    session_manager: SessionManager | None = None,
) -> Agent:
    """A fresh agent for one request: one that is shared would carry a caller's words to the next.

    `callback_handler` is called with the answer's text as `data`, as it comes; `session_manager` brings the
    conversation so far, and keeps it.
    """
    return Agent(
        model=model,
        system_prompt=SYSTEM_PROMPT,
        tools=list(tools),
        callback_handler=callback_handler,
        session_manager=session_manager,
        # Beside botocore's two attempts: with Strands' default of six, a throttled query takes minutes.
        retry_strategy=ModelRetryStrategy(max_attempts=2, initial_delay=1, max_delay=4),
    )
