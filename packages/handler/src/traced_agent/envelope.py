"""The JSON that a run's answer or error goes out in."""

from traced_agent.errors import Problem
from traced_agent.function_url import Response
from traced_agent.run import Answer, Run


def answered(run: Run, query: str, answer: Answer, model_id: str) -> Response:
    """200, with the answer."""
    return Response.json(
        200,
        {
            "success": True,
            "run_id": run.id,
            "timestamp": run.timestamp,
            "query": query,
            "response": answer.response,
            **run.links,
            "model_id": model_id,
            "stop_reason": answer.stop_reason,
            "usage": answer.usage,
            "duration_ms": run.duration_ms,
        },
    )


def refused(run: Run, problem: Problem) -> Response:
    """The problem's status, with the error."""
    error = {"code": problem.code, "message": problem.message}
    if problem.field is not None:
        error["field"] = problem.field
    return Response.json(
        problem.status,
        {"success": False, "run_id": run.id, "timestamp": run.timestamp, "error": error, **run.links},
        problem.headers,
    )
