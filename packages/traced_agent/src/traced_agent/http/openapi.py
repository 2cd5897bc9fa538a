"""The OpenAPI 3.1 document, made from the models that requests are checked with."""

import functools
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from traced_agent.errors import STATUS
from traced_agent.http.accept import EVENT_STREAM, HTML
from traced_agent.http.run_request import SESSION_HEADER, DemoRequest, QueryRequest
from traced_agent.settings import Settings
from traced_agent.tracing.tracer import UNTRACED
from traced_agent.version import __version__

_JSON = "application/json"
_STRING = {"type": "string"}
_OR_NULL = {"type": ["string", "null"]}
_RUN = {
    "run_id": _STRING,
    "timestamp": {"type": "string", "format": "date-time"},
    **dict.fromkeys(UNTRACED, _OR_NULL),
}


def description(settings: Settings) -> dict[str, Any]:
    """In a few words, what answers here."""
    return {
        "name": "Traced agent",
        "version": __version__,
        "model_id": settings.bedrock_model_id,
        "streaming": settings.streaming,
        "sessions": bool(settings.session_bucket),
        "ask": 'POST / {"query": "…"}',
        "openapi": "/openapi.json",
    }


@functools.cache
def document(*, page: bool, output_model: type[BaseModel] | None = None) -> Mapping[str, Any]:
    """Describe the requests and the responses.

    Args:
        page: whether `GET /` is served.
        output_model: the agent's output model; its schema describes `data` in the answer.
    """
    ask = {
        "post": {
            "operationId": "ask",
            "summary": "Ask the agent",
            "description": f"With `Accept: {EVENT_STREAM}` the answer streams, where the URL does. "
            f"`session_id` may also come in the header `{SESSION_HEADER}`.",
            "requestBody": {
                "required": True,
                "content": {_JSON: {"schema": _any_of("QueryRequest", "DemoRequest")}},
            },
            "responses": _responses(
                _content("Answer", also={EVENT_STREAM: {"schema": _STRING}}), *STATUS.values()
            ),
        }
    }
    home = {"get": _named(_get("What this is; to a browser, the page", HTML), "describe")} if page else {}
    health = {"get": {"summary": "Whether the function is well", "responses": _responses(_content("Health"))}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Traced agent", "version": __version__},
        "paths": {
            "/": {**ask, **home},
            "/invocations": {"post": _named(ask["post"], "invoke")},
            "/health": {"get": _named(health["get"], "health")},
            "/ping": {"get": _named(health["get"], "ping")},
            "/openapi.json": {"get": _named(_get("This document"), "openapi")},
        },
        "components": {"schemas": {**_requests(), **_answers(output_model)}},
    }


def _named(operation: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {**operation, "operationId": name}


def _get(summary: str, *also: str) -> dict[str, Any]:
    content = {_JSON: {"schema": {"type": "object"}}, **{kind: {"schema": _STRING} for kind in also}}
    return {"summary": summary, "responses": {"200": {"description": summary, "content": content}}}


def _responses(good: Mapping[str, Any], *statuses: int) -> dict[str, Any]:
    codes = {
        status: [code for code, its in STATUS.items() if its == status] for status in sorted(set(statuses))
    }
    errors = {
        str(status): {**_content("Error"), "description": ", ".join(names)} for status, names in codes.items()
    }
    return {"200": good, **errors}


def _content(schema: str, also: Mapping[str, Any] | None = None) -> dict[str, Any]:
    return {"description": schema, "content": {_JSON: {"schema": _ref(schema)}, **(also or {})}}


def _ref(schema: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{schema}"}


def _any_of(*schemas: str) -> dict[str, Any]:
    return {"oneOf": [_ref(schema) for schema in schemas]}


def _requests() -> dict[str, Any]:
    """The request models' own schemas; what pydantic cannot say of them is added."""
    _, found = models_json_schema(
        [(QueryRequest, "validation"), (DemoRequest, "validation")],
        ref_template="#/components/schemas/{model}",
    )
    schemas: dict[str, Any] = found["$defs"]
    query = schemas["QueryRequest"]
    text = {**query["properties"]["query"], "pattern": r"\S"}
    query["properties"] |= {"query": text, "prompt": {**text, "description": "The same as query"}}
    query["required"] = []
    query["oneOf"] = [{"required": ["query"]}, {"required": ["prompt"]}]
    return schemas


def _data(output_model: type[BaseModel]) -> dict[str, Any]:
    """The output model's schemas; the prefix keeps the names of its parts apart from ours."""
    schema = output_model.model_json_schema(
        ref_template="#/components/schemas/Data.{model}", mode="serialization"
    )
    parts = {f"Data.{name}": part for name, part in schema.pop("$defs", {}).items()}
    return {"Data": schema, **parts}


def _answers(output_model: type[BaseModel] | None) -> dict[str, Any]:
    usage = {
        name: {"type": "integer", "minimum": 0} for name in ("inputTokens", "outputTokens", "totalTokens")
    }
    cached = {
        name: {"type": "integer", "minimum": 0} for name in ("cacheReadInputTokens", "cacheWriteInputTokens")
    }
    citation = _object({"text": _STRING, "source": _STRING, "score": {"type": ["number", "null"]}})
    citations = {"type": "array", "items": citation}
    error = {"code": {"enum": sorted(STATUS)}, "message": _STRING}
    return {
        "Answer": _object(
            {
                "success": {"const": True},
                **_RUN,
                "query": _STRING,
                "response": _STRING,
                "model_id": _STRING,
                "stop_reason": _STRING,
                "usage": _object(usage, optional=cached),
                "duration_ms": {"type": "integer", "minimum": 0},
            },
            optional={"citations": citations, **({"data": _ref("Data")} if output_model else {})},
        ),
        "Error": _object(
            {"success": {"const": False}, **_RUN, "error": _object(error, optional={"field": _STRING})}
        ),
        "Health": _object(
            {
                "status": {"const": "Healthy"},
                "version": _STRING,
                "python": _STRING,
                "model_id": _STRING,
                "tracing": {"enum": ["on", "off"]},
            }
        ),
        **(_data(output_model) if output_model else {}),
    }


def _object(properties: Mapping[str, Any], optional: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """An object with these properties and no others."""
    return {
        "type": "object",
        "properties": {**properties, **(optional or {})},
        "required": list(properties),
        "additionalProperties": False,
    }
