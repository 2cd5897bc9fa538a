"""The schemas of the OpenAPI document, made from the models that requests are validated with."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from traced_agent.errors import STATUS
from traced_agent.http.feedback import FeedbackRequest
from traced_agent.http.request_models import DemoRequest, QueryRequest, ResumeRequest
from traced_agent.tracing.tracer import UNTRACED

_REF = "#/components/schemas/{model}"
_STRING = {"type": "string"}
_OR_NULL = {"type": ["string", "null"]}
_COUNT = {"type": "integer", "minimum": 0}
_RUN = {
    "run_id": _STRING,
    "timestamp": {"type": "string", "format": "date-time"},
    **dict.fromkeys(UNTRACED, _OR_NULL),
}
_NESTED_AGENT = {"agent": {**_STRING, "description": "The name of the agent that another agent called"}}
_TOOL_DETAILS = {
    "id": {**_STRING, "description": "The id of the call; this and the next two only while the page is on"},
    "input": {"description": "The arguments of a call that started"},
    "output": {**_STRING, "description": "The result of a call that ended, as text"},
}
_NOT_BLANK = r"^\s*\S"
"""A text that is not empty after trimming; anchored, so that `re.match` finds the same as a search."""


def schemas(
    output_model: type[BaseModel] | None,
    *,
    streaming: bool,
    sessions: bool,
    knowledge_base: bool,
    feedback: bool,
) -> dict[str, Any]:
    """Every schema, by its name."""
    return {
        **_requests(sessions=sessions, knowledge_base=knowledge_base),
        **_answers(output_model),
        **(_events() if streaming else {}),
        **(_feedback() if feedback else {}),
        **(_data(output_model) if output_model else {}),
    }


def _requests(*, sessions: bool, knowledge_base: bool) -> dict[str, Any]:
    resume = (ResumeRequest,) if sessions else ()  # interrupts are kept in the session
    _, found = models_json_schema(
        [(model, "validation") for model in (QueryRequest, DemoRequest, *resume)],
        ref_template=_REF,
    )
    requests: dict[str, Any] = {name: _without_defaults(schema) for name, schema in found["$defs"].items()}
    if not knowledge_base:
        requests["DemoParameters"]["properties"]["demo_type"]["enum"].remove("knowledge_base")
    query = requests["QueryRequest"]
    text = {**query["properties"].pop("query"), "pattern": _NOT_BLANK}
    others = query["properties"]
    requests["QueryRequest"] = {**query, "properties": {"query": text, **others}, "required": ["query"]}
    requests["PromptRequest"] = {
        **query,
        "title": "PromptRequest",
        "description": "A question for the agent, as AgentCore's clients send it.",
        "properties": {"prompt": text, **others},
        "required": ["prompt"],
    }
    kinds = ("QueryRequest", "PromptRequest", "DemoRequest", *(model.__name__ for model in resume))
    return {**requests, "RunRequest": {"oneOf": [_ref(kind) for kind in kinds]}}


def _without_defaults(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Generated TypeScript clients must send a field that has a default, and every field may be omitted."""
    properties = {
        name: {key: value for key, value in field.items() if key != "default"}
        for name, field in schema.get("properties", {}).items()
    }
    return {**schema, "properties": properties}


def _answers(output_model: type[BaseModel] | None) -> dict[str, Any]:
    usage = dict.fromkeys(("inputTokens", "outputTokens", "totalTokens"), _COUNT)
    cached = dict.fromkeys(("cacheReadInputTokens", "cacheWriteInputTokens"), _COUNT)
    error = {"code": {**_STRING, "enum": sorted(STATUS)}, "message": _STRING}
    citation = _object({"text": _STRING, "source": _STRING, "score": {"type": ["number", "null"]}})
    interrupt = {"id": _STRING, "name": _STRING, "reason": {}}
    citations = {"type": "array", "items": citation}
    answer = {
        "success": {"type": "boolean", "const": True},
        **_RUN,
        "query": _STRING,
        "response": _STRING,
        "model_id": _STRING,
        "stop_reason": _STRING,
        "usage": _object(usage, optional=cached),
        "duration_ms": _COUNT,
    }
    health = {
        "status": {**_STRING, "const": "Healthy"},
        "version": _STRING,
        "python": _STRING,
        "model_id": _STRING,
        "tracing": {**_STRING, "enum": ["on", "off"]},
        "time_of_last_update": {
            **_COUNT,
            "description": "When the status changed, in seconds since the epoch",
        },
    }
    return {
        "Answer": _object(
            answer,
            optional={
                "citations": citations,
                "interrupts": {"type": "array", "items": _object(interrupt)},
                **({"data": _ref("Data")} if output_model else {}),
            },
        ),
        "ErrorResponse": _object(
            {
                "success": {"type": "boolean", "const": False},
                **_RUN,
                "error": _object(error, optional={"field": _STRING}),
            }
        ),
        "LambdaError": {
            "type": "object",
            "description": "An error of Lambda itself, without an answer of the function",
            "properties": {"Message": _STRING},
        },
        "Health": _object(health),
    }


def _events() -> dict[str, Any]:
    """The data of each server-sent event, by the event's name."""
    states = {**_STRING, "enum": ["started", "finished", "failed"]}
    events = {
        "start": _object({"run_id": _STRING, "trace_id": _OR_NULL}),
        "text": _object({"text": _STRING}),
        "tool": _object({"name": _STRING, "state": states}, optional={**_TOOL_DETAILS, **_NESTED_AGENT}),
        "agent": _object({**_NESTED_AGENT, "text": _STRING}),
        "reset": _object({"reason": _STRING}),
    }
    named = {f"{name.title()}Event": schema for name, schema in events.items()}
    data = [*map(_ref, named), _ref("Answer"), _ref("ErrorResponse")]
    return {
        **named,
        "EventData": {
            "oneOf": data,
            "description": "The data of one event: `result` is an Answer, `error` an ErrorResponse",
        },
        "EventStream": {
            "type": "string",
            "description": "Server-sent events: `start`, then `text`, `tool`, `agent` and `reset`, then "
            "`result` or `error`. The data of each is one JSON object, see EventData. Close the connection "
            "then.",
            "contentMediaType": "text/event-stream",
        },
    }


def _feedback() -> dict[str, Any]:
    request = FeedbackRequest.model_json_schema(ref_template=_REF)
    accepted = _object({"success": {"type": "boolean", "const": True}, "trace_id": _STRING})
    return {"FeedbackRequest": _without_defaults(request), "Feedback": accepted}


def _data(output_model: type[BaseModel]) -> dict[str, Any]:
    """The output model's schemas; the prefix keeps the names of its parts apart from ours."""
    schema = output_model.model_json_schema(
        ref_template="#/components/schemas/Data.{model}", mode="serialization"
    )
    parts = {f"Data.{name}": part for name, part in schema.pop("$defs", {}).items()}
    return {"Data": schema, **parts}


def _ref(schema: str) -> dict[str, str]:
    return {"$ref": _REF.format(model=schema)}


def _object(properties: Mapping[str, Any], optional: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """An object with these properties and no others."""
    return {
        "type": "object",
        "properties": {**properties, **(optional or {})},
        "required": list(properties),
        "additionalProperties": False,
    }
