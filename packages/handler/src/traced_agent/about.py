"""What the function says of itself, without asking the model."""

import platform
from dataclasses import dataclass

from traced_agent import __version__
from traced_agent.accept import HTML, wants
from traced_agent.function_url import Request, Response
from traced_agent.run import Run
from traced_agent.settings import Settings


@dataclass(frozen=True)
class About:
    """The routes that only tell."""

    settings: Settings
    traced: bool

    def health(self, _request: Request, _run: Run) -> Response:
        """Say that the function is well, and what runs."""
        return Response.json(
            200,
            {
                "status": "Healthy",
                "version": __version__,
                "python": platform.python_version(),
                "model_id": self.settings.bedrock_model_id,
                "tracing": "on" if self.traced else "off",
            },
        )

    def home(self, request: Request, _run: Run) -> Response:
        """Give a browser the page, and everybody else a description."""
        from traced_agent import openapi, page  # noqa: PLC0415 - not before the answer

        if wants(request.headers.get("accept", ""), HTML):
            return page.response(self.settings)
        return Response.json(200, openapi.description(self.settings), {"vary": "accept"})

    def openapi(self, _request: Request, _run: Run) -> Response:
        """Say, for programs, what can be asked."""
        from traced_agent import openapi  # noqa: PLC0415

        return Response.json(200, openapi.document(page=self.settings.page))
