"""Prepares finished spans for export: completes them, and removes their content if that is configured."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace import ReadableSpan

from traced_agent.tracing.agent_spans import complete
from traced_agent.tracing.content_filter import without_content
from traced_agent.tracing.openinference import with_openinference

if TYPE_CHECKING:
    from traced_agent.settings import Settings


def span_converter(
    settings: "Settings", model_config: Mapping[str, Any]
) -> Callable[[ReadableSpan], ReadableSpan]:
    """Return the function that converts each finished span before it is queued.

    Content is removed last, so nothing that the other steps add can bypass `TRACE_CONTENT=metadata`.
    """

    def convert(span: ReadableSpan) -> ReadableSpan:
        converted = complete(span, model_config)
        if settings.otlp_endpoint:
            converted = with_openinference(converted)
        return without_content(converted) if settings.trace_content == "metadata" else converted

    return convert
