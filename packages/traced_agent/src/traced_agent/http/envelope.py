"""The JSON of a run's answer, and of its error."""

from traced_agent.errors import ApiError
from traced_agent.http.function_url import Response
from traced_agent.run import Answer, Run


def success(run: Run, query: str, answer: Answer, model_id: str) -> Response:
    """200, with the answer."""
    optional = {"data": answer.data, "citations": answer.citations, "interrupts": answer.interrupts}
    return Response.json(
        200,
        {
            "success": True,
            "run_id": run.id,
            "timestamp": run.timestamp,
            "query": query,
            "response": answer.response,
            **{name: value for name, value in optional.items() if value is not None},
            **run.links,
            "model_id": model_id,
            "stop_reason": answer.stop_reason,
            "usage": answer.usage,
            "duration_ms": run.duration_ms,
        },
    )


def failure(run: Run, api_error: ApiError) -> Response:
    """The error's status, with its code and message."""
    error = {"code": api_error.code, "message": api_error.message}
    if api_error.field is not None:
        error["field"] = api_error.field
    return Response.json(
        api_error.status,
        {"success": False, "run_id": run.id, "timestamp": run.timestamp, "error": error, **run.links},
        api_error.headers,
    )
