"""A handler that does nothing: what the platform itself takes."""

import json
from typing import Any


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ARG001
    """Answer nothing."""
    return {"statusCode": 200, "body": json.dumps({"response": ""})}
