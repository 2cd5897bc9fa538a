"""From a method and a path to what answers them."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeAlias

from traced_agent.errors import Problem
from traced_agent.function_url import Request, Response
from traced_agent.run import Run

Route: TypeAlias = Callable[[Request, Run], Response]

Routes: TypeAlias = Mapping[str, Mapping[str, Route]]
"""By path, then by method. HEAD follows from GET, OPTIONS from all."""


def dispatch(routes: Routes, request: Request, run: Run) -> Response:
    """Answer a request by its route.

    Raises:
        Problem: there is no such path, it does not take the method, or what the route raises.
    """
    if request.path not in routes:
        raise Problem("not_found", f"There is no such path: the paths are {', '.join(routes)}")
    methods = routes[request.path]
    allow = {"allow": ", ".join([*methods, *(["HEAD"] if "GET" in methods else []), "OPTIONS"])}
    if request.method == "OPTIONS":
        return Response(204, headers=allow)
    wanted = "GET" if request.method == "HEAD" else request.method
    if wanted not in methods:
        raise Problem("method_not_allowed", f"{request.path} takes {allow['allow']}", headers=allow)
    response = methods[wanted](request, run)
    return replace(response, body="") if request.method == "HEAD" else response
