"""The OpenAPI 3.1 document: the routes, and for each the requests and the responses of this configuration.

Source: https://spec.openapis.org/oas/v3.1.1.html.
"""

import functools
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel

from traced_agent.errors import STATUS
from traced_agent.http import openapi_schemas
from traced_agent.http.accept import EVENT_STREAM, HTML
from traced_agent.http.run_request import SESSION_HEADER
from traced_agent.settings import Settings
from traced_agent.version import __version__

_JSON = "application/json"
_STRING = {"type": "string"}
_TAGS = [
    {"name": "agent", "description": "Questions and answers"},
    {"name": "service", "description": "The service itself; no model is called"},
]
_BY_LAMBDA = (413, 429, 502)
"""Statuses that Lambda itself answers, too, with a body of its own."""

_OF_EVERY_BODY = (400, 413, 415, 429, 500, 502)
"""Statuses of a route that reads a body and calls no model."""

_SCHEMES = {
    "jwt": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
    "iam": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "AWS Signature Version 4, for the service `lambda`",
        "x-amazon-apigateway-authtype": "awsSigv4",
    },
}
"""The security scheme of each auth mode."""

_EXAMPLES = {
    "question": {"summary": "A question", "value": {"query": "What is 2+2?"}},
    "demo": {
        "summary": "The built-in demonstration",
        "value": {"action": "run_demo", "parameters": {"demo_type": "basic"}},
    },
}


def description(settings: Settings) -> dict[str, Any]:
    """A short description of the service, for `GET /`."""
    return {
        "name": "Traced agent",
        "version": __version__,
        "model_id": settings.public_model_id,
        "streaming": settings.streaming,
        "sessions": bool(settings.session_bucket),
        "ask": 'POST / {"query": "…"}',
        "openapi": "/openapi.json",
    }


@functools.cache
def document(
    settings: Settings, output_model: type[BaseModel] | None = None, *, feedback: bool = False
) -> Mapping[str, Any]:
    """Describe the requests and the responses.

    Args:
        settings: the page, streaming and the auth mode decide what is described.
        output_model: the agent's output model; its schema describes `data` in the answer.
        feedback: whether the function has the route `POST /feedback`.
    """
    auth = settings.auth
    schemas = openapi_schemas.schemas(
        output_model,
        streaming=settings.streaming,
        sessions=bool(settings.session_bucket),
        knowledge_base=bool(settings.knowledge_base_id),
        feedback=feedback,
    )
    home = {"get": _get("describe", "Describe the service; a browser gets the page", auth, HTML)}
    components: dict[str, Any] = {"schemas": schemas}
    if auth in _SCHEMES:
        components["securitySchemes"] = {auth: _SCHEMES[auth]}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Traced agent",
            "version": __version__,
            "description": "An agent that answers questions; every run is traced.",
        },
        "servers": [{"url": "/", "description": "The Function URL that serves this document"}],
        "tags": _TAGS,
        "security": [{auth: []}] if auth in _SCHEMES else [],
        "paths": {
            "/": {"post": _ask("ask", settings), **(home if settings.page else {})},
            "/invocations": {"post": _ask("invoke", settings)},
            "/health": {"get": _health("health", auth)},
            "/ping": {"get": _health("ping", auth)},
            "/openapi.json": {"get": _get("openapi", "Get this document", auth)},
            **({"/feedback": {"post": _feedback(auth)}} if feedback else {}),
        },
        "components": components,
    }


def _ask(name: str, settings: Settings) -> dict[str, Any]:
    content: dict[str, Any] = {_JSON: {"schema": _ref("Answer")}}
    streamed = ""
    if settings.streaming:
        content[EVENT_STREAM] = {"schema": _ref("EventStream")}
        streamed = f"With the header `Accept: {EVENT_STREAM}` the answer is streamed as server-sent events. "
    return {
        "operationId": name,
        "summary": "Ask the agent",
        "description": f"{streamed}`session_id` can also be in the header `{SESSION_HEADER}`.",
        "tags": ["agent"],
        "requestBody": {
            "required": True,
            "content": {_JSON: {"schema": _ref("RunRequest"), "examples": _EXAMPLES}},
        },
        "responses": {
            "200": {"description": "The answer", "content": content},
            **_errors(STATUS.values(), settings.auth),
        },
    }


def _feedback(auth: str) -> dict[str, Any]:
    accepted = {"description": "The feedback is accepted", "content": {_JSON: {"schema": _ref("Feedback")}}}
    return {
        "operationId": "feedback",
        "summary": "Send a user's feedback",
        "description": "Becomes the score `user-feedback` of the trace; a later one replaces it.",
        "tags": ["agent"],
        "requestBody": {"required": True, "content": {_JSON: {"schema": _ref("FeedbackRequest")}}},
        "responses": {"202": accepted, **_errors(_OF_EVERY_BODY, auth)},
    }


def _get(name: str, summary: str, auth: str, *also: str) -> dict[str, Any]:
    content = {_JSON: {"schema": {"type": "object"}}, **{kind: {"schema": _STRING} for kind in also}}
    return _service(name, summary, {"200": {"description": summary, "content": content}, **_errors((), auth)})


def _health(name: str, auth: str) -> dict[str, Any]:
    good = {"200": {"description": "The function is healthy", "content": {_JSON: {"schema": _ref("Health")}}}}
    if auth == "jwt":  # this route needs no token
        return {**_service(name, "Check the function", good), "security": []}
    return _service(name, "Check the function", {**good, **_errors((), auth)})


def _service(name: str, summary: str, responses: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": summary,
        "description": summary,
        "tags": ["service"],
        "responses": responses,
    }


def _errors(statuses: Iterable[int], auth: str) -> dict[str, Any]:
    """The error responses: the function's own, Lambda's, and those of the auth mode."""
    known = {status for status in statuses if status != STATUS["unauthorized"]}
    if auth == "jwt":
        known.add(STATUS["unauthorized"])
    responses = {
        str(status): {
            "description": ", ".join(code for code, its in STATUS.items() if its == status),
            "content": {_JSON: {"schema": _error_schema(status)}},
        }
        for status in sorted(known)
    }
    if auth == "iam":
        content = {_JSON: {"schema": _ref("LambdaError")}}
        responses["403"] = {"description": "The signature is missing or wrong", "content": content}
    return responses


def _error_schema(status: int) -> dict[str, Any]:
    if status in _BY_LAMBDA:
        return {"anyOf": [_ref("ErrorResponse"), _ref("LambdaError")]}
    return _ref("ErrorResponse")


def _ref(schema: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{schema}"}
