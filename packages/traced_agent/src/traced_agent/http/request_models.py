"""The bodies of the requests that run the agent, and the limits of their fields."""

from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    ValidationInfo,
)
from pydantic_core import PydanticCustomError

from traced_agent.tracing.tracer import RUN_TAG

DEMO_QUERIES = {
    "basic": "Use your tools: what is 6 * 7, and what time is it in UTC?",
    "tools": "Use a tool for each part: how many kilometres are 26.2 miles, and what is 12 * (3 + 4)?",
    "knowledge_base": "Search the knowledge base: what does it say about returns and delivery?",
}
"""The built-in demonstrations by type."""


def _not_blank(text: str) -> str:
    """Reject text that is white space to Python, and to Bedrock, but not to pydantic."""
    if not text.strip():
        raise PydanticCustomError("string_too_short", "must not be empty")
    return text


def _not_a_run_tag(tag: str) -> str:
    if tag.startswith(RUN_TAG):
        raise PydanticCustomError("run_tag", "must not be the tag of a run")
    return tag


def _check_demo_type(value: Any, info: ValidationInfo) -> Any:
    """Reject a demonstration that this deployment does not have; the message lists those that it has."""
    others = [name for name in DEMO_QUERIES if name != "knowledge_base"]
    known = list(DEMO_QUERIES) if (info.context or {}).get("knowledge_base") else others
    if value not in known:
        expected = " or ".join([", ".join(map(repr, known[:-1])), repr(known[-1])])
        reason = ": no knowledge base is configured" if value == "knowledge_base" else ""
        raise PydanticCustomError("literal_error", "unknown", {"expected": expected + reason})
    return value


_Text = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=10_000),
    AfterValidator(_not_blank),
]
_Id = Annotated[str, StringConstraints(max_length=200, pattern=r"^[ -~]+$")]
_Label = Annotated[str, StringConstraints(min_length=1, max_length=200)]
_Tag = Annotated[
    _Label, AfterValidator(_not_a_run_tag), Field(json_schema_extra={"pattern": f"^(?!{RUN_TAG})"})
]
_Value = Annotated[str, StringConstraints(max_length=1_000)]


class _RunFields(BaseModel):
    """The fields that every kind of request has; they are attributes of the trace."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    session_id: _Id | None = Field(None, description="Groups runs into a conversation; printable ASCII")
    user_id: _Id | None = Field(None, description="Who asks; printable ASCII")
    tags: Annotated[list[_Tag], Field(max_length=10)] | None = Field(
        None, description=f"To find the run by; none may begin with `{RUN_TAG}`"
    )
    metadata: Annotated[dict[_Label, _Value], Field(max_length=20)] | None = Field(
        None, description="Further pairs of strings to find the run by"
    )

    @property
    def labels(self) -> dict[str, Any]:
        """The attributes that the run's trace can be found by."""
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
    """The parameters of a demonstration."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    demo_type: Annotated[Literal[tuple(DEMO_QUERIES)], BeforeValidator(_check_demo_type)] = Field(  # type: ignore[valid-type]
        default="basic", description="Which demonstration; `basic` without it"
    )


class DemoRequest(_RunFields):
    """A built-in demonstration query."""

    name: ClassVar = "run_demo"

    action: Literal["run_demo"] = Field(description="What to do")
    parameters: DemoParameters = Field(DemoParameters(), description="Of the action; optional")

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
        """The text that the trace records as the query."""
        return self.query or ""


RunRequest: TypeAlias = QueryRequest | DemoRequest | ResumeRequest
