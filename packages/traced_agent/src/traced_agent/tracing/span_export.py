"""Prepares finished spans for export: completes them, and removes what must not leave the function."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace import ReadableSpan

from traced_agent.tracing.agent_spans import complete
from traced_agent.tracing.content_filter import without_content
from traced_agent.tracing.openinference import with_openinference
from traced_agent.tracing.safe_text import account_numbers, text_filter

if TYPE_CHECKING:
    from traced_agent.settings import Settings


def span_converter(
    settings: "Settings", model_config: Mapping[str, Any]
) -> Callable[[ReadableSpan], ReadableSpan]:
    """Return the function that converts each finished span before it is queued.

    Content and account numbers are removed last, so nothing that the other steps add can bypass that.
    """
    with_safe_text = text_filter(account_numbers(dataclasses.asdict(settings).values()))

    def convert(span: ReadableSpan) -> ReadableSpan:
        converted = complete(span, model_config)
        if settings.otlp_endpoint:
            converted = with_openinference(converted)
        if settings.trace_content == "metadata":
            converted = without_content(converted)
        return with_safe_text(converted)

    return convert
