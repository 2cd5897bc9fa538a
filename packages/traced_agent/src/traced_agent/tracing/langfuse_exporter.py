"""Passes finished spans to Langfuse's SDK: the only module that imports it; imported after the response.

The SDK's processor does here what it does in Langfuse's documented setup: it filters spans, masks them and
extracts media. Only the last step is ours: its exporter has no time limit and does not report results.
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
from traced_agent.tracing.export_attempt import ExportAttempt
from traced_agent.tracing.otlp_client import OtlpClient
from traced_agent.tracing.otlp_encoding import otlp_headers
from traced_agent.tracing.spans import span_key

if TYPE_CHECKING:
    from traced_agent.settings import Settings

_CHUNK = 128
"""Spans passed to the processor at a time: fewer than its batch and queue sizes, so that it drops none."""

_NEVER_S = 86_400
"""The SDK's own threads flush so rarely that they never delay a response: the export queue flushes."""


class LangfuseExporter:
    """Langfuse's client, for `get_client()`, and its processor with our exporter."""

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
        # If the user's code created a client, this is that client, with its filter, masks and headers.
        resources = LangfuseResourceManager._instances[public_key]  # noqa: SLF001
        self._exporter.client = OtlpClient(
            settings.langfuse_host + langfuse_protocol.PATH,
            otlp_headers(
                {**langfuse_protocol.headers(public_key, secret_key), **(resources.additional_headers or {})}
            ),
        )
        self._processor = LangfuseSpanProcessor(
            public_key=public_key,
            secret_key=secret_key,
            base_url=settings.langfuse_host,
            flush_at=_CHUNK * 2,
            flush_interval=_NEVER_S,
            should_export_span=resources.should_export_span,
            span_exporter=self._exporter,
            media_manager=resources._media_manager,  # noqa: SLF001
            mask_otel_spans=resources.mask_otel_spans,
        )
        gc.freeze()  # The imported objects are permanent: exclude them from garbage collection.

    def send(self, attempt: ExportAttempt) -> None:
        """Pass the pending spans of the attempt to the processor.

        Raises:
            ExportError: as `OtlpClient.send` does.
        """
        spans = attempt.pending
        for start in range(0, len(spans), _CHUNK):
            batch = spans[start : start + _CHUNK]
            for span in batch:
                self._processor.on_end(langfuse_protocol.to_langfuse_span(span, self._public_key))
            self._exporter.export_now(attempt, self._processor)
            attempt.filtered.update(set(map(span_key, batch)) - attempt.sent - attempt.refused.keys())

    def flush(self) -> None:
        """Send the scores and media of the user's code."""
        self._client.flush()

    def shutdown(self) -> None:
        """End the client, because its keys are no longer valid."""
        self._processor.shutdown()  # type: ignore[no-untyped-call]
        LangfuseResourceManager.reset()


class _Exporter(SpanExporter):
    """The exporter that Langfuse's processor calls."""

    client: OtlpClient

    def __init__(self) -> None:
        self._attempt: ExportAttempt | None = None
        self._failure: Exception | None = None

    def export_now(self, attempt: ExportAttempt, processor: LangfuseSpanProcessor) -> None:
        """Make the processor export now, as part of the attempt.

        Raises:
            Exception: as `OtlpClient.send` does; the processor would hide it.
        """
        self._attempt, self._failure = attempt, None
        processor.force_flush()
        if self._failure is not None:
            raise self._failure

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        if self._attempt is None:
            return SpanExportResult.FAILURE
        try:
            self.client.send(spans, self._attempt)
        except Exception as failure:  # noqa: BLE001 - raised again by export_now
            self._failure = failure
            return SpanExportResult.FAILURE
        return SpanExportResult.SUCCESS
