"""The handler that the documentation leads to: all of it made in the request, flushed before returning."""

import json
import os
import uuid
from typing import Any

from langfuse import get_client, propagate_attributes
from strands import Agent, tool
from strands.models import BedrockModel


@tool
def calculator(expression: str) -> str:
    """Add two whole numbers.

    Args:
        expression: For example "2+2".
    """
    left, _, right = expression.partition("+")
    return str(int(left) + int(right))


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ARG001
    """Answer one query."""
    query = json.loads(event["body"])["query"]
    run_id = uuid.uuid4().hex[:8]
    langfuse = get_client()
    model = BedrockModel(model_id=os.environ["BEDROCK_MODEL_ID"], region_name=os.environ["BEDROCK_REGION"])
    agent = Agent(model=model, tools=[calculator], callback_handler=None)
    with langfuse.start_as_current_observation(name="query", input={"query": query}) as root:
        with propagate_attributes(tags=[f"run-{run_id}"], trace_name="query"):
            answer = str(agent(query)).strip()
        root.update(output={"response": answer})
    langfuse.flush()
    body = {"success": True, "run_id": run_id, "query": query, "response": answer}
    return {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": json.dumps(body)}
