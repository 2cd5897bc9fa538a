"""The agent of the soak test: tools that return, print and request what real tools sometimes do."""

import sys
from typing import Any

from botocore.config import Config
from strands import Agent, ModelRetryStrategy, tool
from strands.models import BedrockModel


@tool
def calculator(expression: str) -> str:
    """Add numbers.

    Args:
        expression: For example "2+2".
    """
    return str(sum(map(int, expression.split("+"))))


@tool(context=True)
def stopping(tool_context: Any) -> str:
    """Stop the agent after this tool."""
    tool_context.invocation_state["request_state"]["stop_event_loop"] = True
    return "stopped"


@tool(context=True)
def approval(tool_context: Any) -> str:
    """Ask a person."""
    return f"answered: {tool_context.interrupt('approval', reason='delete 3 files')}"


@tool
def half_emoji() -> str:
    """Return an unpaired surrogate."""
    return "half \ud83d"


@tool
def without_status() -> dict[str, Any]:
    """Return a result without a status."""
    return {"content": [{"text": "done"}]}


@tool
def raising() -> str:
    """Raise an exception."""
    raise RuntimeError("a failing tool")


@tool
def printing() -> str:
    """Print text without a newline."""
    sys.stdout.write("half a line")
    return "printed"


TOOLS = [calculator, stopping, approval, half_emoji, without_status, raising, printing]


def build_model(settings: Any, session: Any) -> BedrockModel:
    """Build the model as the shipped agent does."""
    return BedrockModel(
        boto_session=session,
        boto_client_config=Config(
            connect_timeout=3, read_timeout=60, retries={"mode": "standard", "total_max_attempts": 2}
        ),
        model_id=settings.bedrock_model_id,
        max_tokens=settings.max_tokens,
    )


def build_agent(model: BedrockModel, *, callback_handler: Any = None, session_manager: Any = None) -> Agent:
    """Build the agent of one run. It repeats a throttled call, also after text was streamed."""
    return Agent(
        model=model,
        system_prompt="Answer briefly. Use your tools.",
        tools=list(TOOLS),
        callback_handler=callback_handler,
        session_manager=session_manager,
        retry_strategy=ModelRetryStrategy(max_attempts=2, initial_delay=1, max_delay=1),
    )
