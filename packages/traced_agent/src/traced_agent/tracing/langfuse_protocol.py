"""The requests and spans that Langfuse's SDK sends, without importing it."""

import base64
import functools
import importlib.metadata
from typing import Final

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from traced_agent.tracing.spans import SCOPE, copy_span

PATH: Final = "/api/public/otel/v1/traces"
"""The path of Langfuse's OTLP endpoint."""


def headers(public_key: str, secret_key: str) -> dict[str, str]:
    """The headers that its exporter sends; because of the last, a trace appears without delay."""
    return {
        "authorization": "Basic " + base64.b64encode(f"{public_key}:{secret_key}".encode()).decode(),
        "x-langfuse-sdk-name": "python",
        "x-langfuse-sdk-version": _version(),
        "x-langfuse-public-key": public_key,
        "x-langfuse-ingestion-version": "4",
    }


def to_langfuse_span(span: ReadableSpan, public_key: str | None = None) -> ReadableSpan:
    """Return the span as Langfuse's documented setup would have created it.

    Its processor exports a root only with the project's public key.
    """
    scope = span.instrumentation_scope
    if scope is not None and scope.name == SCOPE:
        project = {"public_key": public_key} if public_key else None
        return copy_span(
            span, instrumentation_scope=InstrumentationScope("langfuse-sdk", _version(), None, project)
        )
    return span


@functools.cache
def _version() -> str:
    return importlib.metadata.version("langfuse")
