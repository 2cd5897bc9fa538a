"""The backends that traces are sent to: Langfuse, by its own SDK, or any OTLP endpoint; never both."""

import logging
from typing import TYPE_CHECKING, Protocol

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider

from traced_agent.aws.secret import Secret
from traced_agent.tracing import langfuse_protocol
from traced_agent.tracing.export_attempt import ExportAttempt
from traced_agent.tracing.otlp_client import OtlpClient
from traced_agent.tracing.otlp_encoding import otlp_headers, parse_headers

if TYPE_CHECKING:
    from collections.abc import Callable

    import boto3

    from traced_agent.settings import Settings
    from traced_agent.tracing.langfuse_exporter import LangfuseExporter

logger = logging.getLogger(__name__)


class TraceBackend(Protocol):
    """Receives the spans of finished runs."""

    def prepare(self) -> None:
        """Before a run: create the SDK client that the user's code may ask for. Never raises."""

    def convert(self, span: ReadableSpan) -> ReadableSpan:
        """Return the span as it is sent."""

    def send(self, attempt: ExportAttempt) -> None:
        """Send the pending spans of the attempt, and record the result of each in it.

        Raises:
            SecretError: there are no credentials, and a retry does not help.
            UnauthorizedError: the backend rejected the credentials.
            ExportError: the pending spans can be sent again.
        """

    def refresh_credentials(self) -> bool:
        """Read the credentials again; whether they have changed."""

    def flush_sdk(self) -> None:
        """Send what the user's code gave to the backend's SDK; can take long."""


class OtlpBackend:
    """Any OTLP/HTTP endpoint."""

    def __init__(self, settings: "Settings", session: "Callable[[], boto3.Session]") -> None:
        self._url = settings.otlp_endpoint
        self._headers = settings.otlp_headers
        arn = settings.otlp_headers_secret_arn
        self._secret = Secret(arn, session) if arn else None

    def prepare(self) -> None:
        """Do nothing: there is no SDK."""

    def convert(self, span: ReadableSpan) -> ReadableSpan:
        """Return the span unchanged."""
        return span

    def send(self, attempt: ExportAttempt) -> None:
        """Post the spans."""
        OtlpClient(self._url, otlp_headers(self._auth_headers())).send(attempt.pending, attempt)

    def refresh_credentials(self) -> bool:
        """Read the secret again, if there is one."""
        return self._secret is not None and self._secret.refresh()

    def flush_sdk(self) -> None:
        """Do nothing: there is no SDK."""

    def _auth_headers(self) -> dict[str, str]:
        if self._secret is None:
            return parse_headers(self._headers)
        own = self._secret.json() or parse_headers(self._secret.text())
        if not own or not all(isinstance(value, str) for value in own.values()):
            raise self._secret.error("must hold headers, as `name=value,…` or as a JSON object of strings")
        return {name.lower(): value for name, value in own.items()}


class LangfuseBackend:
    """Langfuse, by its own SDK, which is imported at the first export."""

    def __init__(
        self, settings: "Settings", session: "Callable[[], boto3.Session]", provider: TracerProvider
    ) -> None:
        self._settings = settings
        self._secret = Secret(settings.langfuse_secret_arn, session) if settings.langfuse_secret_arn else None
        self._provider = provider
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

    def refresh_credentials(self) -> bool:
        """Read the secret again, if there is one; a changed key needs a new client."""
        if self._secret is None or not self._secret.refresh():
            return False
        if self._exporter is not None:
            self._exporter.shutdown()
            self._exporter = None
        return True

    def flush_sdk(self) -> None:
        """Send scores and media."""
        if self._exporter is not None:
            self._exporter.flush()

    def _get_exporter(self) -> "LangfuseExporter":
        if self._exporter is None:
            public_key, secret_key = self._keys()
            from traced_agent.tracing.langfuse_exporter import LangfuseExporter  # noqa: PLC0415 - not before the answer

            self._exporter = LangfuseExporter(self._settings, self._provider, public_key, secret_key)
        return self._exporter

    def _keys(self) -> tuple[str, str]:
        if self._secret is None:
            return self._settings.langfuse_public_key, self._settings.langfuse_secret_key
        secret = self._secret.json()
        names = ("LANGFUSE_PUBLIC_KEY", "LANGFUSE_SECRET_KEY")
        public_key, secret_key = (str(secret.get(name) or "").strip() for name in names)
        if not (public_key and secret_key):
            raise self._secret.error("must be a JSON object with LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY")
        return public_key, secret_key
