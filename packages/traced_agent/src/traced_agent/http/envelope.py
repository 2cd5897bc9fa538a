"""The JSON that a run's answer or error goes out in."""

from traced_agent.errors import ApiError
from traced_agent.http.function_url import Response
from traced_agent.run import Answer, Run


def success(run: Run, query: str, answer: Answer, model_id: str) -> Response:
    """200, with the answer."""
    return Response.json(
        200,
        {
            "success": True,
            "run_id": run.id,
            "timestamp": run.timestamp,
            "query": query,
            "response": answer.response,
            **({"data": answer.data} if answer.data is not None else {}),
            **({"citations": answer.citations} if answer.citations is not None else {}),
            **run.links,
            "model_id": model_id,
            "stop_reason": answer.stop_reason,
            "usage": answer.usage,
            "duration_ms": run.duration_ms,
        },
    )


def failure(run: Run, api_error: ApiError) -> Response:
    """The api_error's status, with the error."""
    error = {"code": api_error.code, "message": api_error.message}
    if api_error.field is not None:
        error["field"] = api_error.field
    return Response.json(
        api_error.status,
        {"success": False, "run_id": run.id, "timestamp": run.timestamp, "error": error, **run.links},
        api_error.headers,
    )
