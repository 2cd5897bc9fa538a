"""The agent of the tests of the runtime and the stack, which never read the one that is shipped."""

import ast
import datetime as dt
import operator

from botocore.config import Config
from strands import Agent, tool
from strands.models import BedrockModel

_OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}


@tool
def calculator(expression: str) -> str:
    """Calculate an arithmetic expression.

    Args:
        expression: Numbers with + - * / and parentheses.
    """
    return str(_value(ast.parse(expression, mode="eval").body))


@tool
def current_time(timezone: str = "UTC") -> str:
    """Tell the current date and time.

    Args:
        timezone: Only UTC is known.
    """
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")


SYSTEM_PROMPT = "Answer briefly. Use your tools."

TOOLS = [calculator, current_time]


def build_model(settings, session):
    return BedrockModel(
        boto_session=session,
        boto_client_config=Config(
            connect_timeout=3, read_timeout=60, retries={"mode": "standard", "total_max_attempts": 2}
        ),
        model_id=settings.bedrock_model_id,
        max_tokens=settings.max_tokens,
    )


def build_agent(model, *, tools=TOOLS, callback_handler=None, session_manager=None):
    return Agent(
        model=model,
        system_prompt=SYSTEM_PROMPT,
        tools=list(tools),
        callback_handler=callback_handler,
        session_manager=session_manager,
        retry_strategy=None,
    )


def _value(node):
    match node:
        case ast.Constant(value=int() | float() as number):
            return number
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](_value(left), _value(right))
    raise ValueError("only numbers, + - * / and parentheses are known")
