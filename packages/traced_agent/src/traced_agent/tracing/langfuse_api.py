"""Calls of Langfuse's public API that the function makes itself, within the time limit of an export."""

import json
import os
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from traced_agent.tracing.export_attempt import ExportAttempt, ExportError, RefusedError
from traced_agent.tracing.http_connection import open_connection
from traced_agent.tracing.http_exchange import exchange, to_error
from traced_agent.tracing.langfuse_protocol import headers

_PROJECT_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")


class LangfuseApi:
    """Langfuse's API for one pair of keys."""

    def __init__(
        self, host: str, public_key: str, secret_key: str, environ: Mapping[str, str] = os.environ
    ) -> None:
        self._host = host
        self._headers = {**headers(public_key, secret_key), "accept": "application/json"}
        self._environ = environ

    def project_id(self, attempt: ExportAttempt) -> str | None:
        """The id of the project of the keys; None if the server does not return a valid one.

        Raises:
            ExportError: the request failed.
        """
        projects = self.get("/api/public/projects", attempt).get("data")
        project = projects[0] if isinstance(projects, list) and projects else {}
        found = project.get("id") if isinstance(project, dict) else None
        return found if isinstance(found, str) and _PROJECT_ID.fullmatch(found) else None

    def prompt(self, name: str, label: str, attempt: ExportAttempt) -> dict[str, Any]:
        """The prompt with this name and label: `type`, `prompt`, `name`, `version` and more.

        Raises:
            ExportError: the request failed, or there is no such prompt.
        """
        path = f"/api/public/v2/prompts/{quote(name, safe='')}?label={quote(label, safe='')}"
        return self.get(path, attempt)

    def get(self, path: str, attempt: ExportAttempt) -> dict[str, Any]:
        """The JSON object at a path; an empty one if it is anything else.

        Raises:
            ExportError: the request failed.
        """
        return self._call("GET", path, attempt)

    def create_score(self, score: Mapping[str, Any], attempt: ExportAttempt) -> None:
        """Create the score, or replace the one with the same id.

        Raises:
            ExportError: the request failed.
        """
        self._call("POST", "/api/public/scores", attempt, json.dumps(score).encode())

    def _call(
        self, method: str, path: str, attempt: ExportAttempt, body: bytes | None = None
    ) -> dict[str, Any]:
        url = self._host + path
        sent = {**self._headers, **({"content-type": "application/json"} if body else {})}
        connection = open_connection(url, attempt, self._environ)
        try:
            response = exchange(connection, method, url, attempt, headers=sent, body=body)
        finally:
            connection.close()
        if not response.accepted:
            refused = response.status in (400, 404, 413, 422)
            raise RefusedError(f"{url} answered {response.summary}") if refused else to_error(url, response)
        try:
            value = json.loads(response.body)
        except ValueError:
            raise ExportError(f"{url} answered {response.status} without JSON") from None
        return value if isinstance(value, dict) else {}
