"""The routes that describe the function; they call no model."""

import platform
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from traced_agent import structured_output
from traced_agent.http.accept import HTML, wants
from traced_agent.http.function_url import Request, Response
from traced_agent.settings import Settings, SettingsError
from traced_agent.version import __version__

_STARTED = int(time.time())
"""When the status became Healthy; it does not change afterwards. AgentCore's clients read it."""


@dataclass(frozen=True)
class InfoRoutes:
    """The routes that describe the service.

    `suggestions` are questions that the page offers. With `feedback` the function has `POST /feedback`: the
    page shows thumbs up and down, and the OpenAPI document contains the route.
    """

    settings: Settings
    traced: bool
    new_agent: Callable[[], object] | None = None
    """Builds an agent; the OpenAPI document contains the schema of its output model."""
    suggestions: tuple[str, ...] = ()
    feedback: bool = False

    def health(self, _request: Request, _context: object) -> Response:
        """Report that the function is healthy, and its version and model."""
        return Response.json(
            200,
            {
                "status": "Healthy",
                "version": __version__,
                "python": platform.python_version(),
                "model_id": self.settings.public_model_id,
                "tracing": "on" if self.traced else "off",
                "time_of_last_update": _STARTED,
            },
        )

    def home(self, request: Request, _context: object) -> Response:
        """Send a browser the page, and other clients a description."""
        from traced_agent.http import openapi, page  # noqa: PLC0415 - not before the answer

        if wants(request.headers.get("accept", ""), HTML):
            return page.response(self.settings, suggestions=self.suggestions, feedback=self.feedback)
        return Response.json(200, openapi.description(self.settings), {"vary": "accept"})

    def openapi(self, _request: Request, _context: object) -> Response:
        """Send the OpenAPI document."""
        from traced_agent.http import openapi  # noqa: PLC0415

        model = structured_output.output_model(self.new_agent()) if self.new_agent else None
        return Response.json(200, openapi.document(self.settings, model, feedback=self.feedback))


def read_suggestions(build_agent: Callable[..., Any]) -> tuple[str, ...]:
    """The questions for the page: `SUGGESTIONS` of the module that defines `build_agent`, or none.

    Raises:
        SettingsError: it is not a list of strings.
    """
    module = sys.modules.get(getattr(build_agent, "__module__", ""))
    suggestions = getattr(module, "SUGGESTIONS", ())
    if not isinstance(suggestions, list | tuple) or not all(isinstance(text, str) for text in suggestions):
        raise SettingsError("SUGGESTIONS in the agent's module must be a list of strings")
    return tuple(suggestions)
