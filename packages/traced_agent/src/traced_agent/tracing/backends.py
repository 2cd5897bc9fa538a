"""The backends that traces are sent to: Langfuse, by its own SDK, or any OTLP endpoint; never both."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from opentelemetry.sdk.trace import ReadableSpan

from traced_agent.aws.secret import Secret
from traced_agent.tracing.export_attempt import ExportAttempt, RefusedError
from traced_agent.tracing.idle_connection import IdleConnection
from traced_agent.tracing.otlp_client import OtlpClient
from traced_agent.tracing.otlp_encoding import otlp_headers, parse_headers

if TYPE_CHECKING:
    from collections.abc import Callable

    import boto3

    from traced_agent.settings import Settings
    from traced_agent.tracing.spans import RunTracerProvider


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

    def create_score(self, score: Mapping[str, Any], attempt: ExportAttempt) -> None:
        """Create or replace a score.

        Raises:
            SecretError, ExportError: as `send` does.
        """

    def refresh_credentials(self) -> bool:
        """Read the credentials again; whether they have changed."""

    def needs_flush(self) -> bool:
        """Whether the backend's SDK may have something to send."""

    def flush_sdk(self) -> None:
        """Send what the user's code gave to the backend's SDK; can take long."""


class OtlpBackend:
    """Any OTLP/HTTP endpoint."""

    def __init__(self, settings: "Settings", session: "Callable[[], boto3.Session]") -> None:
        self._url = settings.otlp_endpoint
        self._headers = settings.otlp_headers
        arn = settings.otlp_headers_secret_arn
        self._secret = Secret(arn, session) if arn else None
        self._idle = IdleConnection()

    def prepare(self) -> None:
        """Do nothing: there is no SDK."""

    def convert(self, span: ReadableSpan) -> ReadableSpan:
        """Return the span unchanged."""
        return span

    def send(self, attempt: ExportAttempt) -> None:
        """Post the spans."""
        client = OtlpClient(self._url, otlp_headers(self._auth_headers()), idle=self._idle)
        client.send(attempt.pending, attempt)

    def create_score(self, score: Mapping[str, Any], attempt: ExportAttempt) -> None:  # noqa: ARG002
        """Refuse: OTLP has no scores.

        Raises:
            RefusedError: always.
        """
        raise RefusedError("scores need Langfuse as the trace backend")

    def refresh_credentials(self) -> bool:
        """Read the secret again, if there is one."""
        return self._secret is not None and self._secret.refresh()

    def needs_flush(self) -> bool:
        """Never: there is no SDK."""
        return False

    def flush_sdk(self) -> None:
        """Do nothing: there is no SDK."""

    def _auth_headers(self) -> dict[str, str]:
        if self._secret is None:
            return parse_headers(self._headers)
        own = self._secret.json() or parse_headers(self._secret.text())
        if not own or not all(isinstance(value, str) for value in own.values()):
            raise self._secret.error("must hold headers, as `name=value,…` or as a JSON object of strings")
        return {name.lower(): value for name, value in own.items()}


def create_backend(
    settings: "Settings",
    session: "Callable[[], boto3.Session]",
    provider: "RunTracerProvider",
    set_project_id: "Callable[[str], None]",
) -> TraceBackend:
    """The backend that the settings choose.

    Args:
        settings: the endpoint, or Langfuse's host and keys.
        session: returns the AWS session, for secrets.
        provider: the provider that Langfuse's client uses.
        set_project_id: called with the id of Langfuse's project when it becomes known.
    """
    if settings.otlp_endpoint:
        return OtlpBackend(settings, session)
    from traced_agent.tracing.langfuse_backend import LangfuseBackend  # noqa: PLC0415

    return LangfuseBackend(settings, session, provider, set_project_id)
