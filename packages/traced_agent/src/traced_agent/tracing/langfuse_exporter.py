"""Passes finished spans to Langfuse's SDK: the only module that imports it; imported after the response.

The SDK's processor does here what it does in Langfuse's documented setup: it filters spans, masks them and
extracts media. Only the last step is ours: its exporter has no time limit and does not report results.
"""

import gc
import json
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from langfuse import Langfuse
from langfuse._client.resource_manager import LangfuseResourceManager
from langfuse._client.span_exporter import LangfuseTransformingSpanExporter
from langfuse._client.span_processor import LangfuseSpanProcessor
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from traced_agent.tracing import langfuse_protocol, waiting_clients
from traced_agent.tracing.export_attempt import ExportAttempt
from traced_agent.tracing.otlp_client import OtlpClient
from traced_agent.tracing.otlp_encoding import otlp_headers
from traced_agent.tracing.span_attributes import text_values
from traced_agent.tracing.spans import RunTracerProvider, copy_span, span_key

if TYPE_CHECKING:
    from traced_agent.settings import Settings

logger = logging.getLogger(__name__)

_CHUNK = 128
"""Spans passed to the processor at a time: fewer than its batch and queue sizes, so that it drops none."""

_NEVER_S = 86_400
"""The SDK's own threads flush so rarely that they never delay a response: the export queue flushes."""


_MEDIA_MARKS = ("data:", '"data"', "inline_data", "inlineData")
"""Each text in which the SDK looks for media contains one of these."""


class LangfuseExporter:
    """Langfuse's client, for `get_client()`, and its processor with our exporter."""

    def __init__(
        self, settings: "Settings", provider: RunTracerProvider, public_key: str, secret_key: str
    ) -> None:
        self._public_key = public_key
        self._provider = provider
        self._exporter = _Exporter()
        keys: Any = {"public_key": public_key, "secret_key": secret_key, "base_url": settings.langfuse_host}
        waiting_clients.activate(**keys)
        self._client = Langfuse(
            **keys,
            environment=settings.langfuse_environment or None,
            release=settings.langfuse_release or None,
            sample_rate=1.0,
            flush_interval=_NEVER_S,
            tracer_provider=provider,
            span_exporter=self._exporter,
        )
        # If the user's code created a client, this is that client, with its filter, masks and headers.
        self._resources = resources = LangfuseResourceManager._instances[public_key]  # noqa: SLF001
        self._exporter.client = OtlpClient(
            settings.langfuse_host + langfuse_protocol.PATH,
            otlp_headers(
                {**langfuse_protocol.headers(public_key, secret_key), **(resources.additional_headers or {})}
            ),
        )
        self._mask = resources.mask
        self._processor = LangfuseSpanProcessor(
            **keys,
            flush_at=_CHUNK * 2,
            flush_interval=_NEVER_S,
            should_export_span=resources.should_export_span,
            span_exporter=TransformingExporter(
                exporter=self._exporter,
                media_manager=resources._media_manager,  # noqa: SLF001
                mask_otel_spans=resources.mask_otel_spans,
            ),
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
                converted = langfuse_protocol.to_langfuse_span(span, self._public_key)
                self._processor.on_end(self._masked(converted) if converted is not span else span)
            self._exporter.export_now(attempt, self._processor)
            attempt.filtered.update(set(map(span_key, batch)) - attempt.sent - attempt.refused.keys())

    def _masked(self, root: ReadableSpan) -> ReadableSpan:
        """Apply the `mask=` of the user's client to the root's input and output."""
        if self._mask is None:
            return root
        attributes = dict(root.attributes or {})
        for name in ("langfuse.observation.input", "langfuse.observation.output"):
            if isinstance(text := attributes.get(name), str):
                attributes[name] = self._apply_mask(text)
        return copy_span(root, attributes=attributes)

    def _apply_mask(self, text: str) -> str:
        try:
            return json.dumps(self._mask(data=json.loads(text)), default=str)  # type: ignore[misc]
        except Exception as error:  # noqa: BLE001 - the user's code; without its result nothing is sent
            logger.warning("the mask of the Langfuse client failed: %s", type(error).__name__)
            return json.dumps("<fully masked due to failed mask function>")

    def needs_flush(self) -> bool:
        """Whether a flush has anything to send: scores, media, or spans of processors of the user's code."""
        queues = (self._resources._score_queue, self._resources._media_upload_queue)  # noqa: SLF001
        return self._provider.has_users_processors or any(queue.unfinished_tasks for queue in queues)

    def flush(self) -> None:
        """Send the scores and media of the user's code."""
        self._client.flush()

    def shutdown(self) -> None:
        """End the client, because its keys are no longer valid."""
        self._processor.shutdown()  # type: ignore[no-untyped-call]
        LangfuseResourceManager.reset()


class TransformingExporter(LangfuseTransformingSpanExporter):
    """The SDK's exporter that masks spans and extracts media; it copies every span, changed or not."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export the spans as they are, without a copy, if nothing is masked or extracted."""
        if self._mask_otel_spans is None and not any(map(_may_have_media, spans)):
            return self._exporter.export(spans)
        return super().export(spans)


def _may_have_media(span: ReadableSpan) -> bool:
    """Whether the SDK would look for media in an attribute of the span."""
    content = "\0".join(text_values(span.attributes))
    return any(mark in content for mark in _MEDIA_MARKS)


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
