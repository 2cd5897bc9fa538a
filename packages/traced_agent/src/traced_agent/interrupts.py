"""Maps a request to the agent's prompt: a query, or the responses to a session's interrupts."""

from collections.abc import Collection

from traced_agent.errors import ApiError
from traced_agent.http.request_models import ResumeRequest, RunRequest
from traced_agent.run import Prompt

_FIELD = "interrupt_responses"


def prompt(run_request: RunRequest, waiting: Collection[str]) -> Prompt:
    """The prompt for the agent.

    Args:
        run_request: the request.
        waiting: the ids of the session's interrupts that wait for a response.

    Raises:
        ApiError: a response is missing, or there is no interrupt for it; the session stays as it is.
    """
    if not isinstance(run_request, ResumeRequest):
        if waiting:
            raise _invalid(
                f"This session waits for the responses to its interrupts: send {_FIELD} with the ids "
                f"{', '.join(waiting)}, or use another session_id"
            )
        return run_request.text
    if not waiting:
        raise _invalid(
            "No interrupt waits for a response here: send a query; interrupts can only be resumed in the "
            "session that they stopped, with sessions on"
        )
    given = {response.id: response.response for response in run_request.interrupt_responses}
    if unknown := set(given) - set(waiting):
        raise _invalid(f"{_FIELD} has an unknown id {min(unknown)[:200]!a}: the ids are {', '.join(waiting)}")
    if missing := [interrupt_id for interrupt_id in waiting if interrupt_id not in given]:
        raise _invalid(f"{_FIELD} lacks the response to {', '.join(missing)}")
    return [
        {"interruptResponse": {"interruptId": interrupt_id, "response": response}}
        for interrupt_id, response in given.items()
    ]


def _invalid(message: str) -> ApiError:
    return ApiError("invalid_request", message, field=_FIELD)
