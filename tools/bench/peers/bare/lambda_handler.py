"""A bare Strands agent call: one model for the process, one agent for each request, nothing traced."""

import json
import os
from typing import Any

from strands import Agent
from strands.models import BedrockModel

from agent import SYSTEM_PROMPT, TOOLS

MODEL = BedrockModel(model_id=os.environ["BEDROCK_MODEL_ID"], region_name=os.environ["BEDROCK_REGION"])


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ARG001
    """Answer one query."""
    agent = Agent(model=MODEL, system_prompt=SYSTEM_PROMPT, tools=TOOLS, callback_handler=None)
    answer = str(agent(json.loads(event["body"])["query"])).strip()
    return {"statusCode": 200, "body": json.dumps({"response": answer})}
