"""What may be asked: the bodies of requests, and how they are read."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, TypeAlias, TypeVar

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    ValidationError,
)
from pydantic_core import PydanticCustomError

from traced_agent.errors import ApiError
from traced_agent.http.function_url import Request

SESSION_HEADER = "x-amzn-bedrock-agentcore-runtime-session-id"
"""Where AgentCore's clients name their session."""

AGENTCORE_PATH = "/invocations"
"""The path that AgentCore's clients use. As AgentCore's own server does, it ignores unknown names and the
content type; `POST /` rejects them."""

DEMO_QUERIES = {
    "basic": "Use your tools: what is 6 * 7, and what time is it in UTC?",
    "tools": "Use a tool for each part: how many kilometres are 26.2 miles, and what is 12 * (3 + 4)?",
    "knowledge_base": "Search the knowledge base: what does it say about returns and delivery?",
}
"""The built-in demonstrations by type."""

MOST_NAMES = 100
"""In one object; more than any request needs, and few enough to tell what is wrong with each."""


def _not_blank(text: str) -> str:
    """Reject text that is white space to Python, and to Bedrock, but not to pydantic."""
    if not text.strip():
        raise PydanticCustomError("string_too_short", "must not be empty")
    return text


_Text = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=10_000),
    AfterValidator(_not_blank),
]
_Id = Annotated[str, StringConstraints(max_length=200, pattern=r"^[ -~]+$")]
_Label = Annotated[str, StringConstraints(min_length=1, max_length=200)]
_Value = Annotated[str, StringConstraints(max_length=1_000)]


class _RunFields(BaseModel):
    """The fields that every kind of request has; they are attributes of the trace."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    session_id: _Id | None = Field(None, description="Groups runs into a conversation; printable ASCII")
    user_id: _Id | None = Field(None, description="Who asks; printable ASCII")
    tags: Annotated[list[_Label], Field(max_length=10)] | None = Field(None, description="To find the run by")
    metadata: Annotated[dict[_Label, _Value], Field(max_length=20)] | None = Field(
        None, description="Further pairs of strings to find the run by"
    )

    @property
    def labels(self) -> dict[str, Any]:
        """What the run is found by."""
        return {
            "session_id": self.session_id,
            "user_id": self.user_id,
            "tags": self.tags or (),
            "metadata": self.metadata,
        }


class QueryRequest(_RunFields):
    """A question for the agent."""

    name: ClassVar = "query"

    text: _Text = Field(validation_alias=AliasChoices("query", "prompt"), description="The question")


class DemoParameters(BaseModel):
    """What a demonstration takes."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    demo_type: Literal[tuple(DEMO_QUERIES)] = "basic"  # type: ignore[valid-type]


class DemoRequest(_RunFields):
    """A built-in demonstration query."""

    name: ClassVar = "run_demo"

    action: Literal["run_demo"] = Field(description="What to do")
    parameters: DemoParameters = Field(DemoParameters(), description="Of the action")

    @property
    def text(self) -> str:
        """The demonstration's question."""
        return DEMO_QUERIES[self.parameters.demo_type]


class InterruptResponse(BaseModel):
    """The response to one interrupt."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    id: Annotated[str, StringConstraints(min_length=1, max_length=500)] = Field(
        description="The interrupt's id, from the answer"
    )
    response: JsonValue = Field(description="What the tool's call of interrupt returns")


class ResumeRequest(_RunFields):
    """The responses to a session's interrupts: the run that they stopped continues."""

    name: ClassVar = "query"

    query: _Text | None = Field(
        None, validation_alias=AliasChoices("query", "prompt"), description="Only recorded on the trace"
    )
    interrupt_responses: Annotated[list[InterruptResponse], Field(min_length=1, max_length=50)]

    @property
    def text(self) -> str:
        """What is recorded as the query."""
        return self.query or ""


RunRequest: TypeAlias = QueryRequest | DemoRequest | ResumeRequest

Shape = TypeVar("Shape", bound=BaseModel)
_KNOWN = {"query", "prompt", *QueryRequest.model_fields, *DemoRequest.model_fields} - {"text"}


def parse_request(
    request: Request, user_id: str | None = None, *, has_knowledge_base: bool = False
) -> RunRequest:
    """Read what a request asks.

    Args:
        request: whose body is JSON.
        user_id: the user who calls, if that has been verified; a different one in the body is rejected.
        has_knowledge_base: whether the agent can search a knowledge base, as one of the demonstrations does.

    Raises:
        ApiError: the body is of another type, not JSON, or not one of the two shapes; the message says which
            field is wrong and what it takes.
    """
    agentcore = request.path == AGENTCORE_PATH
    if not agentcore:
        _check_type(request.headers)
    body = _json_object(request.body)
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
        parsed: RunRequest = shape.model_validate(body)
    except ValidationError as error:
        raise _refusal(error, shape) from None
    if isinstance(parsed, DemoRequest) and not has_knowledge_base:
        _check_demo_without_knowledge_base(parsed.parameters.demo_type)
    return parsed


def _check_demo_without_knowledge_base(demo_type: str) -> None:
    if demo_type == "knowledge_base":
        others = " or ".join(repr(name) for name in DEMO_QUERIES if name != demo_type)
        raise ApiError(
            "invalid_request",
            f"parameters.demo_type must be {others}: no knowledge base is configured",
            field="parameters.demo_type",
        )


def parse_body(request: Request, shape: type[Shape]) -> Shape:
    """Read a JSON body of another shape.

    Raises:
        ApiError: the body is of another type, not JSON, or not of this shape.
    """
    _check_type(request.headers)
    try:
        return shape.model_validate(_json_object(request.body))
    except ValidationError as error:
        raise _refusal(error, shape) from None


def _check_type(headers: Mapping[str, str]) -> None:
    content_type = headers.get("content-type", "application/json").lower()
    media_types = {value.partition(";")[0].strip() for value in content_type.split(",")}
    if len(media_types) > 1:
        raise ApiError(
            "unsupported_media_type",
            "The request has several Content-Type headers: send one, Content-Type: application/json",
        )
    if media_types != {"application/json"}:
        raise ApiError(
            "unsupported_media_type",
            "The body must be JSON: send it with the header Content-Type: application/json",
        )


def _json_object(body: bytes) -> dict[str, Any]:
    if not body.strip():
        raise ApiError("invalid_json", 'The body is empty: send {"query": "…"}')
    try:
        parsed = json.loads(
            body.decode("utf-8-sig"), object_pairs_hook=_without_duplicates, parse_constant=_no_constant
        )
        json.dumps(parsed, ensure_ascii=False).encode()
    except UnicodeDecodeError as error:
        raise ApiError("invalid_json", f"The body is not UTF-8 at byte {error.start}") from None
    except UnicodeEncodeError:
        raise ApiError("invalid_json", "A string in the body has half a surrogate pair") from None
    except RecursionError:
        raise ApiError("invalid_json", "The body is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise ApiError(
            "invalid_json", f"The body is not JSON: {error.msg} at line {error.lineno} column {error.colno}"
        ) from None
    except ValueError:
        raise ApiError("invalid_json", "A number in the body has too many digits") from None
    if not isinstance(parsed, dict):
        raise ApiError("invalid_request", 'The body must be a JSON object: send {"query": "…"}')
    return parsed


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) > MOST_NAMES:
        raise ApiError("invalid_request", f"An object in the body has over {MOST_NAMES} names")
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ApiError("invalid_json", f"The body is not JSON: {name[:100]!a} stands twice in one object")
        found[name] = value
    return found


def _no_constant(name: str) -> None:
    raise ApiError("invalid_json", f"The body is not JSON: {name} is no JSON value")


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


def _refusal(error: ValidationError, shape: type[BaseModel]) -> ApiError:
    """Say the first few breaches in our words, and point at the first."""
    breaches = error.errors(include_url=False, include_input=False)[:3]
    names = [_field(breach["loc"]) for breach in breaches]
    told = [f"{name} {_wrong(breach, shape)}" for name, breach in zip(names, breaches, strict=True)]
    return ApiError("invalid_request", "; ".join(told), field=names[0])


def _field(loc: tuple[int | str, ...]) -> str:
    steps = [f"[{step}]" if isinstance(step, int) else f".{step}" for step in loc if step != "[key]"]
    name = "".join(steps).removeprefix(".")[:100]
    return "".join(letter if letter.isprintable() else "?" for letter in name)


_WRONG = {
    "missing": "is missing",
    "string_type": "must be a string",
    "string_too_short": "must not be empty",
    "string_too_long": "must be at most {max_length} characters long",
    "string_pattern_mismatch": "must be printable ASCII, and not empty",
    "list_type": "must be an array of {entries}",
    "dict_type": "must be an object of strings",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "too_short": "must have at least {min_length} entry",
    "too_long": "must have at most {max_length} entries",
    "literal_error": "must be {expected}",
    "trace_id": "must be the trace_id of an answer, 32 hexadecimal digits",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
}
"""The message of each validation error, by pydantic's name for it; placeholders are its context."""


def _wrong(breach: Any, shape: type[BaseModel]) -> str:
    if breach["type"] == "extra_forbidden":
        known = f": the fields are {_names(shape)}" if len(breach["loc"]) == 1 else ""
        return f"is not a known field{known}"
    entries = "objects with id and response" if breach["loc"][0] == "interrupt_responses" else "strings"
    return _WRONG[breach["type"]].format(**{"entries": entries, **breach.get("ctx", {})})


def _names(shape: type[BaseModel]) -> str:
    fields = {"query" if name == "text" else name for name in shape.model_fields}
    if shape is QueryRequest:
        fields.add("interrupt_responses")
    return ", ".join(sorted(fields))
