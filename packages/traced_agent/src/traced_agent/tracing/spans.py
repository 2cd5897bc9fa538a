"""Records the spans of each run, and releases a run as a whole when it has ended."""

import logging
import os
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from time import time_ns
from typing import Any, Final

from opentelemetry.baggage import set_baggage
from opentelemetry.context import Context, get_current, get_value, set_value
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Decision, TraceIdRatioBased
from opentelemetry.trace import Status, StatusCode, format_trace_id

from traced_agent.tracing.span_attributes import plain

logger = logging.getLogger(__name__)

SCOPE: Final = "traced_agent"
"""The instrumentation scope of the root observation."""

MAX_VALUE_LENGTH: Final = 1_000_000
"""Characters of an attribute's value; the rest is cut off, so that one value cannot exceed a request."""

_LIMIT_VARIABLE: Final = "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"
"""OpenTelemetry's own variable for this limit."""

_RUN: Final = "traced_agent.run"
_TAGS: Final = "langfuse.trace.tags"

SpanKey = tuple[int, int]
"""A span's trace id and span id."""


def span_key(span: ReadableSpan) -> SpanKey:
    """Return the key that a span shares with its copies only."""
    return span.context.trace_id, span.context.span_id


def copy_span(span: ReadableSpan, **changes: Any) -> ReadableSpan:
    """Copy the span in its present state, with some fields replaced."""
    if "attributes" not in changes:
        changes["attributes"] = plain(span.attributes)
    fields = {
        "name": span.name,
        "context": span.context,
        "parent": span.parent,
        "resource": span.resource,
        "events": tuple(span.events),
        "links": span.links,
        "kind": span.kind,
        "status": span.status,
        "start_time": span.start_time,
        "end_time": span.end_time,
        "instrumentation_scope": span.instrumentation_scope,
    }
    return ReadableSpan(**{**fields, **changes})


@dataclass
class RunSpans:
    """One run: the attributes of all its spans, its open spans and its ended spans."""

    attributes: Mapping[str, Any] = field(default_factory=dict)
    root: int = 0
    sampled: bool = True
    """Whether sampling keeps the run; a failed run is kept in any case."""
    abandoned: bool = False
    """Whether its deadline has passed: spans that its thread still ends are unfinished."""
    open: dict[int, Span] = field(default_factory=dict)
    ended: list[ReadableSpan] = field(default_factory=list)

    def attach_to(self, context: Context) -> Context:
        """Return a context in which a root span starts this run."""
        return set_value(_RUN, self, context)

    def close(self, root: ReadableSpan) -> list[ReadableSpan]:
        """Return all spans of the run; those still open (of an abandoned thread) unfinished."""
        while self.open:
            _, span = self.open.popitem()
            try:
                self.ended.append(_unfinished(span, root))
            except (KeyError, RuntimeError) as error:  # its thread continues and has changed it
                logger.warning("error=<%r> | span %s is lost: it changed while it was read", error, span.name)
        return self.ended


class SpanBuffer(SpanProcessor):
    """Collects the spans of each run, and releases them together when the root has ended.

    A run consists of a span without a local parent and everything below it. Sampling decides once per run, by
    its trace id; failed runs are always kept.
    """

    def __init__(self, sample_rate: float) -> None:
        self.finished: deque[list[ReadableSpan]] = deque()
        """The finished runs, oldest first; the export queue takes them."""
        self._sampler = TraceIdRatioBased(sample_rate)
        self._runs: dict[int, RunSpans] = {}

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Add the span to its run; a span of a run that has ended (an abandoned thread's) is ignored."""
        context = span.get_span_context()
        if span.parent is None or span.parent.is_remote:
            started = get_value(_RUN, parent_context)
            self._runs[context.trace_id] = run = started if isinstance(started, RunSpans) else RunSpans()
            run.root = context.span_id
            run.sampled = self._is_sampled(context.trace_id, span.name)
        elif (current := self._runs.get(context.trace_id)) is None:
            return
        else:
            run = current
        run.open[context.span_id] = span
        span.set_attributes(run.attributes)

    def on_end(self, span: ReadableSpan) -> None:
        """Keep the span; the run ends with its root."""
        ids = span.context
        run = self._runs.get(ids.trace_id)
        if run is None or (run.abandoned and ids.span_id != run.root) or not run.open.pop(ids.span_id, None):
            return
        run.ended.append(span)
        if ids.span_id == run.root:
            del self._runs[ids.trace_id]
            if run.sampled or span.status.status_code is StatusCode.ERROR:
                self.finished.append(run.close(span))

    def _is_sampled(self, trace_id: int, name: str) -> bool:
        return self._sampler.should_sample(None, trace_id, name).decision is Decision.RECORD_AND_SAMPLE


def _unfinished(span: Span, root: ReadableSpan) -> ReadableSpan:
    failed = root.status.status_code is StatusCode.ERROR
    return copy_span(
        span,
        attributes={**(span.attributes or {}), "traced_agent.unfinished": True},
        status=Status(StatusCode.ERROR, root.status.description) if failed else span.status,
        end_time=root.end_time or time_ns(),
    )


class RandomIdGenerator(IdGenerator):
    """Ids from the operating system's randomness: restored or forked copies of a process never share ids.

    OpenTelemetry's own generator uses Python's global generator, whose state a snapshot copies.
    """

    def generate_span_id(self) -> int:
        """64 random bits, not all zero."""
        return int.from_bytes(os.urandom(8)) or self.generate_span_id()

    def generate_trace_id(self) -> int:
        """128 random bits, not all zero."""
        return int.from_bytes(os.urandom(16)) or self.generate_trace_id()

    def is_trace_id_random(self) -> bool:
        """Set the random flag in the trace flags."""
        return True


class RunTracerProvider(TracerProvider):
    """The process's tracer provider.

    A Langfuse client (of `get_client()` in a tool, for example) adds a processor to the global provider. Here
    that processor can set attributes when spans start (`propagate_attributes`), but it does not export them:
    they are exported after the response, and would arrive twice.
    """

    def __init__(self, buffer: SpanBuffer, resource: Resource) -> None:
        super().__init__(
            sampler=ALWAYS_ON,
            resource=resource,
            shutdown_on_exit=False,
            id_generator=RandomIdGenerator(),
            span_limits=SpanLimits(
                max_attribute_length=None if _LIMIT_VARIABLE in os.environ else MAX_VALUE_LENGTH
            ),
        )
        self.buffer = buffer
        super().add_span_processor(buffer)
        self.has_users_processors = False

    def add_span_processor(self, span_processor: SpanProcessor) -> None:
        """Add the processor; one of Langfuse's is called at the start of spans only."""
        if type(span_processor).__module__.startswith("langfuse."):
            span_processor = _StartOnlyProcessor(span_processor)
        else:
            self.has_users_processors = True
        super().add_span_processor(span_processor)


class _StartOnlyProcessor(SpanProcessor):
    """Calls Langfuse's processor for spans of its own SDK and below its `propagate_attributes`."""

    def __init__(self, processor: Any) -> None:
        self._processor = processor

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Call the processor; the agent's own spans skip it, because that takes time."""
        context = get_current() if parent_context is None else parent_context
        scope = span.instrumentation_scope
        own = scope is not None and scope.name == "langfuse-sdk"
        if own or any(name.startswith("langfuse.") for name in context):
            if span.parent is not None:  # the trace has a root already: Langfuse reads that from the baggage
                trace_id = format_trace_id(span.parent.trace_id)
                context = set_baggage("langfuse_trace_id", trace_id, context)
            before = _tags(span)
            self._processor.on_start(span, context)
            if (added := _tags(span)) != before:
                # `propagate_attributes(tags=...)` adds tags, as it does on Langfuse's server.
                span.set_attribute(_TAGS, tuple(dict.fromkeys(before + added)))

    def on_end(self, span: ReadableSpan) -> None:
        """Release the processor's state of the span, as its own `on_end` does, without an export."""
        self._processor._cleanup_app_root_state(span)  # noqa: SLF001


def _tags(span: ReadableSpan) -> tuple[str, ...]:
    tags = (span.attributes or {}).get(_TAGS)
    return tuple(str(tag) for tag in tags) if isinstance(tags, tuple | list) else ()


def build_resource(environ: Mapping[str, str], *, version: str, environment: str, release: str) -> Resource:
    """The resource of every span; it includes OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES."""
    name = environ.get("OTEL_SERVICE_NAME") or environ.get("AWS_LAMBDA_FUNCTION_NAME")
    attributes = {
        SERVICE_NAME: name,
        SERVICE_VERSION: version,
        "langfuse.environment": environment,
        "langfuse.release": release,
    }
    return Resource.create({key: value for key, value in attributes.items() if value})


def size_bytes(spans: Sequence[ReadableSpan]) -> int:
    """Estimate the memory of the spans in bytes."""
    return sum(
        _size(span.attributes) + sum(_size(event.attributes) for event in span.events) for span in spans
    )


def _size(attributes: Mapping[str, Any] | None) -> int:
    return 500 + sum(
        len(key) + (len(value) if isinstance(value, str | bytes | tuple) else 8)
        for key, value in (attributes or {}).items()
    )
