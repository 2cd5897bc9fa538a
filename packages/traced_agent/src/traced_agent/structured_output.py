"""Structured output: the validated object of an agent that has an output model.

An output model is a pydantic model, given as `Agent(structured_output_model=...)`.
"""

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ValidationError
from strands.agent import AgentResult

from traced_agent.errors import ApiError

_WITHOUT_DATA = ("guardrail_intervened", "interrupt", "cancelled")
"""Stop reasons after which no object is expected."""


def output_model(agent: object) -> type[BaseModel] | None:
    """The agent's output model, which Strands keeps in a private attribute; None if it has none."""
    return getattr(agent, "_default_structured_output_model", None)


def data(agent: object, result: AgentResult) -> dict[str, Any] | None:
    """The object of a run as JSON values; None if the agent has no output model.

    Raises:
        ApiError: `model_error`, the model did not fill the output model; the message names the field.
    """
    model = output_model(agent)
    if result.structured_output is not None:
        return result.structured_output.model_dump(mode="json")
    if model is None or result.stop_reason in _WITHOUT_DATA:
        return None
    raise not_filled(agent, model)


def not_filled(agent: object, model: type[BaseModel]) -> ApiError:
    """The error of a run whose model did not fill the output model, with the field of its last attempt."""
    problem = next(_problems(agent, model), "it sent no object")
    return ApiError(
        "model_error",
        f"The model did not fill the output model {model.__name__}: {problem}. Send the query again, or "
        "allow more values in the output model",
    )


def _problems(agent: object, model: type[BaseModel]) -> Iterator[str]:
    """What is wrong with each object that the model sent, last first. The values are not repeated."""
    for message in reversed(getattr(agent, "messages", ())):
        for block in message["content"]:
            if block.get("toolUse", {}).get("name") == model.__name__:
                try:
                    model.model_validate(block["toolUse"]["input"])
                except ValidationError as error:
                    first = error.errors(include_url=False, include_input=False)[0]
                    path = ".".join(map(str, first["loc"])) or "the object"
                    yield f"{path}: {first['msg']}"
