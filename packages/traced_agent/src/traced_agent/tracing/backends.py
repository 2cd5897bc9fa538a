"""Where traces go: to Langfuse, by its own SDK, or to any OTLP collector; never to both."""

import logging
from typing import TYPE_CHECKING, Protocol

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider

from traced_agent.aws.secret import Secret
from traced_agent.tracing import langfuse_protocol
from traced_agent.tracing.otlp_client import ExportAttempt, OtlpClient, otlp_headers, parse_headers

if TYPE_CHECKING:
    from collections.abc import Callable

    import boto3

    from traced_agent.settings import Settings
    from traced_agent.tracing.langfuse_exporter import LangfuseExporter


logger = logging.getLogger(__name__)


class TraceBackend(Protocol):
    """Takes spans somewhere."""

    def prepare(self) -> None:
        """Before a run: have ready what the agent's author may use. Never raises."""

    def shaped(self, span: ReadableSpan) -> ReadableSpan:
        """The span in the form in which it is sent."""

    def send(self, flight: ExportAttempt) -> None:
        """Send what is left of the flight, noting in it what became of each span.

        Raises:
            SecretError: there are no credentials, and waiting does not mend it.
            UnauthorizedError: the backend does not take the credentials.
            ExportError: what is left may be sent again.
        """

    def renew(self) -> bool:
        """Read the credentials again; whether they are others than before."""

    def flush(self) -> None:
        """Send what the agent's author has given to the destination's SDK; may take its time."""


class OtlpBackend:
    """Any OTLP/HTTP collector."""

    def __init__(self, settings: "Settings", session: "Callable[[], boto3.Session]") -> None:
        self._url = settings.otlp_endpoint
        self._headers = settings.otlp_headers
        arn = settings.otlp_headers_secret_arn
        self._secret = Secret(arn, session) if arn else None

    def prepare(self) -> None:
        """There is no SDK."""

    def shaped(self, span: ReadableSpan) -> ReadableSpan:
        """As it is."""
        return span

    def send(self, flight: ExportAttempt) -> None:
        """Post the spans."""
        OtlpClient(self._url, otlp_headers(self._own_headers())).send(flight.left, flight)

    def renew(self) -> bool:
        """Only a secret can have changed."""
        return self._secret is not None and self._secret.renew()

    def flush(self) -> None:
        """There is no SDK."""

    def _own_headers(self) -> dict[str, str]:
        if self._secret is None:
            return parse_headers(self._headers)
        own = self._secret.json() or parse_headers(self._secret.text())
        if not own or not all(isinstance(value, str) for value in own.values()):
            raise self._secret.wrong("must hold headers, as `name=value,…` or as a JSON object of strings")
        return {name.lower(): value for name, value in own.items()}


class LangfuseBackend:
    """Langfuse, by its own SDK, which is imported at the first export and not before."""

    def __init__(
        self, settings: "Settings", session: "Callable[[], boto3.Session]", provider: TracerProvider
    ) -> None:
        self._settings = settings
        self._secret = Secret(settings.langfuse_secret_arn, session) if settings.langfuse_secret_arn else None
        self._provider = provider
        self._handover: LangfuseExporter | None = None

    def prepare(self) -> None:
        """Have Langfuse's client ready for `get_client()`."""
        try:
            self._ready()
        except Exception as error:  # noqa: BLE001 - the export will say it, and count
            logger.debug("error=<%s> | langfuse's client is not ready", error)

    def shaped(self, span: ReadableSpan) -> ReadableSpan:
        """As Langfuse's SDK would have made it."""
        return langfuse_protocol.shaped(span)

    def send(self, flight: ExportAttempt) -> None:
        """Hand the spans over to Langfuse's processor."""
        self._ready().send(flight)

    def renew(self) -> bool:
        """Only a secret can have changed; then the client is made anew."""
        if self._secret is None or not self._secret.renew():
            return False
        if self._handover is not None:
            self._handover.forget()
            self._handover = None
        return True

    def flush(self) -> None:
        """Send scores and media."""
        if self._handover is not None:
            self._handover.flush()

    def _ready(self) -> "LangfuseExporter":
        if self._handover is None:
            public_key, secret_key = self._keys()
            from traced_agent.tracing.langfuse_exporter import LangfuseExporter  # noqa: PLC0415 - not before the answer

            self._handover = LangfuseExporter(self._settings, self._provider, public_key, secret_key)
        return self._handover

    def _keys(self) -> tuple[str, str]:
        if self._secret is None:
            return self._settings.langfuse_public_key, self._settings.langfuse_secret_key
        found = self._secret.json()
        names = ("LANGFUSE_PUBLIC_KEY", "LANGFUSE_SECRET_KEY")
        public_key, secret_key = (str(found.get(name) or "").strip() for name in names)
        if not (public_key and secret_key):
            raise self._secret.wrong("must be a JSON object with LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY")
        return public_key, secret_key
