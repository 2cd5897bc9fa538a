"""`POST /feedback`: a score of a user's for a trace."""

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

from traced_agent.http.function_url import Request, Response
from traced_agent.http.run_request import parse_body
from traced_agent.tracing.tracer import RunTracer

SCORE_NAME = "user-feedback"

_EXAMPLE = '{"trace_id": "…", "value": 1}'


def _check_trace_id(text: str) -> str:
    if not re.fullmatch("[0-9a-f]{32}", text):
        raise PydanticCustomError("trace_id", "not a trace id")
    return text


class FeedbackRequest(BaseModel):
    """What a user thinks of an answer."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    trace_id: Annotated[str, AfterValidator(_check_trace_id)] = Field(
        description="The `trace_id` of the answer", json_schema_extra={"pattern": "^[0-9a-f]{32}$"}
    )
    value: Annotated[float, Field(ge=-1, le=1, allow_inf_nan=False)] = Field(
        description="From -1 (bad) to 1 (good)"
    )
    comment: Annotated[str, StringConstraints(max_length=1_000)] | None = Field(
        None, description="Why; not sent with TRACE_CONTENT=metadata"
    )


def receive(request: Request, tracer: RunTracer) -> Response:
    """Queue the feedback, which is sent after the response.

    Raises:
        ApiError: the body is not valid.
    """
    feedback = parse_body(request, FeedbackRequest, _EXAMPLE)
    tracer.add_score(SCORE_NAME, feedback.trace_id, feedback.value, feedback.comment)
    return Response.json(202, {"success": True, "trace_id": feedback.trace_id})
