"""Langfuse as the trace backend, by its own SDK, which is imported at the first export."""

import logging
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace import ReadableSpan

from traced_agent.aws.secret import Secret
from traced_agent.tracing import langfuse_protocol
from traced_agent.tracing.export_attempt import ExportAttempt, ExportError
from traced_agent.tracing.invalid_variables import without_invalid_variables
from traced_agent.tracing.langfuse_api import LangfuseApi

if TYPE_CHECKING:
    from collections.abc import Callable

    import boto3

    from traced_agent.settings import Settings
    from traced_agent.tracing.langfuse_exporter import LangfuseExporter
    from traced_agent.tracing.spans import RunTracerProvider

logger = logging.getLogger(__name__)

_PROJECT_ID_TRIES = 3


class LangfuseBackend:
    """Langfuse, by its own SDK, which is imported at the first export."""

    def __init__(
        self,
        settings: "Settings",
        session: "Callable[[], boto3.Session]",
        provider: "RunTracerProvider",
        set_project_id: "Callable[[str], None]" = lambda _id: None,
    ) -> None:
        self._settings = settings
        self._secret = Secret(settings.langfuse_secret_arn, session) if settings.langfuse_secret_arn else None
        self._provider = provider
        self._set_project_id = set_project_id
        self._project_id_tries = 0 if settings.langfuse_project_id else _PROJECT_ID_TRIES
        self._exporter: LangfuseExporter | None = None

    def prepare(self) -> None:
        """Create Langfuse's client for `get_client()`."""
        try:
            self._get_exporter()
        except Exception as error:  # noqa: BLE001 - the export reports it
            logger.debug("error=<%s> | Langfuse's client was not created", error)

    def convert(self, span: ReadableSpan) -> ReadableSpan:
        """Return the span as Langfuse's SDK would have created it."""
        return langfuse_protocol.to_langfuse_span(span)

    def send(self, attempt: ExportAttempt) -> None:
        """Pass the spans to Langfuse's processor."""
        self._get_exporter().send(attempt)
        if self._project_id_tries:
            self._find_project_id(attempt)

    def create_score(self, score: Mapping[str, Any], attempt: ExportAttempt) -> None:
        """Create or replace a score, by Langfuse's public API."""
        self.api().create_score(score, attempt)

    def refresh_credentials(self) -> bool:
        """Read the secret again, if there is one; a changed key needs a new client."""
        if self._secret is None or not self._secret.refresh():
            return False
        if self._exporter is not None:
            self._exporter.shutdown()
            self._exporter = None
        return True

    def needs_flush(self) -> bool:
        """Whether the SDK has scores or media, or the user's code added span processors."""
        return self._exporter is not None and self._exporter.needs_flush()

    def flush_sdk(self) -> None:
        """Send scores and media."""
        if self._exporter is not None:
            self._exporter.flush()

    def _get_exporter(self) -> "LangfuseExporter":
        if self._exporter is None:
            public_key, secret_key = self._keys()
            from traced_agent.tracing.langfuse_exporter import LangfuseExporter  # noqa: PLC0415 - not before the answer

            self._exporter = without_invalid_variables(
                lambda: LangfuseExporter(self._settings, self._provider, public_key, secret_key), os.environ
            )
        return self._exporter

    def api(self) -> LangfuseApi:
        """Langfuse's API with the present keys.

        Raises:
            SecretError: there are no keys.
        """
        return LangfuseApi(self._settings.langfuse_host, *self._keys())

    def _find_project_id(self, attempt: ExportAttempt) -> None:
        """Ask for the project's id, which is part of the address of a trace."""
        self._project_id_tries -= 1
        try:
            project_id = self.api().project_id(attempt)
        except ExportError as error:
            logger.debug("error=<%s> | the project id is not known yet", error)
            return
        if project_id:
            self._project_id_tries = 0
            self._set_project_id(project_id)

    def _keys(self) -> tuple[str, str]:
        if self._secret is None:
            return self._settings.langfuse_public_key, self._settings.langfuse_secret_key
        secret = self._secret.json()
        names = ("LANGFUSE_PUBLIC_KEY", "LANGFUSE_SECRET_KEY")
        public_key, secret_key = (str(secret.get(name) or "").strip() for name in names)
        if not (public_key and secret_key):
            raise self._secret.error("must be a JSON object with LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY")
        return public_key, secret_key
