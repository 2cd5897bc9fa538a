"""Hands finished spans over to Langfuse's SDK: the only module that imports it, itself after the answer.

The SDK's processor does here what it does in Langfuse's documented set-up: it filters spans, masks them and
takes media out. Only the last step is ours, since its exporter can neither be bounded nor says what arrived.
"""

import gc
from collections.abc import Sequence
from typing import TYPE_CHECKING

from langfuse import Langfuse
from langfuse._client.resource_manager import LangfuseResourceManager
from langfuse._client.span_processor import LangfuseSpanProcessor
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from traced_agent.tracing import langfuse_protocol
from traced_agent.tracing.otlp_client import ExportAttempt, OtlpClient, otlp_headers
from traced_agent.tracing.spans import span_key

if TYPE_CHECKING:
    from traced_agent.settings import Settings

_FEED = 128
"""Spans given to the processor at a time: below its batch and its queue, so that it does not drop any."""

_NEVER_S = 86_400
"""The SDK's own threads sleep as long, and do not wake into the next answer: it is we who flush."""


class LangfuseExporter:
    """Langfuse's client, for `get_client()`, and its processor over an exporter of ours."""

    def __init__(
        self, settings: "Settings", provider: TracerProvider, public_key: str, secret_key: str
    ) -> None:
        self._public_key = public_key
        self._exporter = _Exporter()
        self._client = Langfuse(
            public_key=public_key,
            secret_key=secret_key,
            base_url=settings.langfuse_host,
            environment=settings.langfuse_environment or None,
            release=settings.langfuse_release or None,
            sample_rate=1.0,
            flush_interval=_NEVER_S,
            tracer_provider=provider,
            span_exporter=self._exporter,
        )
        # The client may be one that the agent's author has made, with a filter, masks and headers.
        made = LangfuseResourceManager._instances[public_key]  # noqa: SLF001
        self._exporter.collector = OtlpClient(
            settings.langfuse_host + langfuse_protocol.PATH,
            otlp_headers(
                {**langfuse_protocol.headers(public_key, secret_key), **(made.additional_headers or {})}
            ),
        )
        self._processor = LangfuseSpanProcessor(
            public_key=public_key,
            secret_key=secret_key,
            base_url=settings.langfuse_host,
            flush_at=_FEED * 2,
            flush_interval=_NEVER_S,
            should_export_span=made.should_export_span,
            span_exporter=self._exporter,
            media_manager=made._media_manager,  # noqa: SLF001
            mask_otel_spans=made.mask_otel_spans,
        )
        gc.freeze()  # What the import made stays: no later answer waits while garbage is looked for in it.

    def send(self, flight: ExportAttempt) -> None:
        """Feed the processor with what is left of the flight.

        Raises:
            ExportError: as the collector does.
        """
        spans = flight.left
        for start in range(0, len(spans), _FEED):
            batch = spans[start : start + _FEED]
            for span in batch:
                self._processor.on_end(langfuse_protocol.shaped(span, self._public_key))
            self._exporter.send_within(flight, self._processor)
            flight.filtered.update(set(map(span_key, batch)) - flight.sent - flight.refused.keys())

    def flush(self) -> None:
        """Send the author's scores and media."""
        self._client.flush()

    def forget(self) -> None:
        """End the client, whose keys are no longer good."""
        self._processor.shutdown()  # type: ignore[no-untyped-call]
        LangfuseResourceManager.reset()


class _Exporter(SpanExporter):
    """What Langfuse's processor takes for its exporter."""

    collector: OtlpClient

    def __init__(self) -> None:
        self._flight: ExportAttempt | None = None
        self._failure: Exception | None = None

    def send_within(self, flight: ExportAttempt, processor: LangfuseSpanProcessor) -> None:
        """Make the processor export now, as part of the flight.

        Raises:
            Exception: as the collector does; the processor itself would keep it to itself.
        """
        self._flight, self._failure = flight, None
        processor.force_flush()
        if self._failure is not None:
            raise self._failure

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        if self._flight is None:
            return SpanExportResult.FAILURE
        try:
            self.collector.send(spans, self._flight)
        except Exception as failure:  # noqa: BLE001 - raised again where it is waited for
            self._failure = failure
            return SpanExportResult.FAILURE
        return SpanExportResult.SUCCESS
