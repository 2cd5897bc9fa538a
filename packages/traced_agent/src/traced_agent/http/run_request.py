"""Reads what a request asks: a query, a demonstration, or the responses to interrupts."""

from collections.abc import Mapping
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from traced_agent.errors import ApiError
from traced_agent.http.function_url import Request
from traced_agent.http.json_body import check_content_type, read_object
from traced_agent.http.request_models import (
    DemoRequest,
    QueryRequest,
    ResumeRequest,
    RunRequest,
)
from traced_agent.http.validation_errors import to_api_error

SESSION_HEADER = "x-amzn-bedrock-agentcore-runtime-session-id"
"""The header in which AgentCore's clients send the session id."""

AGENTCORE_PATH = "/invocations"
"""The path that AgentCore's clients use. As AgentCore's own server does, it ignores unknown names and the
content type; `POST /` rejects them."""

Shape = TypeVar("Shape", bound=BaseModel)
_KNOWN = {"query", "prompt", *(name for shape in get_args(RunRequest) for name in shape.model_fields)} - {
    "text"
}


def parse_request(
    request: Request, user_id: str | None = None, *, has_knowledge_base: bool = False
) -> RunRequest:
    """Read what a request asks.

    Args:
        request: whose body is JSON.
        user_id: the user who calls, if that has been verified; a different one in the body is rejected.
        has_knowledge_base: whether the agent can search a knowledge base, as one of the demonstrations does.

    Raises:
        ApiError: the body is of another type, not JSON, or not one of the shapes; the message says which
            field is wrong and what it takes.
    """
    agentcore = request.path == AGENTCORE_PATH
    if not agentcore:
        check_content_type(request.headers)
    body = read_object(request.body)
    if agentcore:
        body = {name: value for name, value in body.items() if name in _KNOWN}
    _take_session(body, request.headers)
    _take_user(body, user_id)
    if "query" in body and "prompt" in body:
        raise ApiError("invalid_request", "Send query or prompt, not both", field="prompt")
    shape: type[RunRequest] = QueryRequest
    if "action" in body:
        shape = DemoRequest
    elif body.get("interrupt_responses") is not None:
        shape = ResumeRequest
    try:
        return shape.model_validate(body, context={"knowledge_base": has_knowledge_base})
    except ValidationError as error:
        raise to_api_error(error, _names(shape)) from None


def parse_body(request: Request, shape: type[Shape], example: str) -> Shape:
    """Read a JSON body of another shape; `example` is one, for the message about a body that is no object.

    Raises:
        ApiError: the body is of another type, not JSON, or not of this shape.
    """
    check_content_type(request.headers)
    try:
        return shape.model_validate(read_object(request.body, example))
    except ValidationError as error:
        raise to_api_error(error, _names(shape)) from None


def _take_session(body: dict[str, Any], headers: Mapping[str, str]) -> None:
    if not (session_id := headers.get(SESSION_HEADER)):
        return
    if body.get("session_id") not in (None, session_id):
        raise ApiError(
            "invalid_request", "session_id differs from the session in the header", field="session_id"
        )
    body["session_id"] = session_id


def _take_user(body: dict[str, Any], user_id: str | None) -> None:
    if user_id is None:
        return
    if body.get("user_id") not in (None, user_id):
        raise ApiError(
            "invalid_request", "user_id differs from the subject of the token: leave it out", field="user_id"
        )
    body["user_id"] = user_id


def _names(shape: type[BaseModel]) -> set[str]:
    names = {"query" if name == "text" else name for name in shape.model_fields}
    return names | {"interrupt_responses"} if shape is QueryRequest else names
