"""Maps a method and a path to the function that handles them."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeAlias, TypeVar

from traced_agent.errors import ApiError
from traced_agent.http.function_url import Request, Response

C = TypeVar("C")

Route: TypeAlias = Callable[[Request, C], Response]
"""Handles a request; its second argument is what the caller of `dispatch` passes."""

Routes: TypeAlias = Mapping[str, Mapping[str, Route[C]]]
"""By path, then by method. HEAD follows from GET; OPTIONS is answered for every path."""


def dispatch(routes: Routes[C], request: Request, context: C) -> Response:
    """Handle a request with its route.

    Raises:
        ApiError: the path or the method is unknown, or what the route raises.
    """
    if request.path not in routes:
        raise ApiError("not_found", f"There is no such path: the paths are {', '.join(routes)}")
    methods = routes[request.path]
    allow = {"allow": ", ".join([*methods, *(["HEAD"] if "GET" in methods else []), "OPTIONS"])}
    if request.method == "OPTIONS":
        return Response(204, headers=allow)
    method = "GET" if request.method == "HEAD" else request.method
    if method not in methods:
        raise ApiError("method_not_allowed", f"{request.path} takes {allow['allow']}", headers=allow)
    response = methods[method](request, context)
    return replace(response, body="") if request.method == "HEAD" else response
