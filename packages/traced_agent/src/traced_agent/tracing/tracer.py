"""Traces every run: its query, the steps of the agent, and its answer.

Call `start_tracing` once, `observe` for each run, and `export` after the response.
"""

import functools
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, StatusCode, Tracer, format_trace_id
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from traced_agent.tracing.spans import SCOPE, RunSpans, RunTracerProvider, SpanBuffer, build_resource
from traced_agent.version import __version__

if TYPE_CHECKING:
    import boto3

    from traced_agent.settings import Settings
    from traced_agent.tracing.export_queue import ExportQueue

logger = logging.getLogger(__name__)

UNTRACED: Final[Mapping[str, str | None]] = dict.fromkeys(
    ("langfuse_url", "trace_filter", "trace_id", "trace_url")
)
"""The trace fields of a response, if there is no trace."""


class Observation:
    """The root of one run's trace. Without tracing it accepts the same calls and does nothing."""

    def __init__(self, links: Mapping[str, str | None], root: Span) -> None:
        self.links = links
        """The four trace fields of the response: langfuse_url, trace_filter, trace_id, trace_url."""
        self.failed = False
        self._root = root

    @property
    def trace_id(self) -> str | None:
        """32 hex digits; None without tracing."""
        return self.links["trace_id"]

    def answer(self, output: Mapping[str, Any]) -> None:
        """Record the run's answer, which must be serialisable as JSON."""
        self._root.set_attribute("langfuse.observation.output", _json(output))

    def fail(self, code: str, message: str) -> None:
        """Mark the run as failed; spans still open when it ends get the same reason."""
        self.failed = True
        reason = f"{code}: {message}"
        self._root.set_attributes(
            {
                "langfuse.observation.level": "ERROR",
                "langfuse.observation.status_message": reason,
                "traced_agent.error": code,
            }
        )
        self._root.set_status(StatusCode.ERROR, reason)


class RunTracer:
    """Records runs and exports them; one per process. By default it does neither."""

    def __init__(
        self,
        settings: "Settings | None" = None,
        tracer: Tracer | None = None,
        export_queue: "Callable[[], ExportQueue] | None" = None,
    ) -> None:
        self._settings = settings
        self._tracer = tracer or trace.NoOpTracer()
        self._export_queue = export_queue
        self._first = True

    @property
    def enabled(self) -> bool:
        """Whether runs are traced."""
        return self._export_queue is not None

    @contextmanager
    def observe(  # noqa: PLR0913 - the labels of a trace
        self,
        *,
        name: str,
        run_id: str,
        query: Mapping[str, Any],
        session_id: str | None = None,
        user_id: str | None = None,
        tags: Sequence[str] = (),
        metadata: Mapping[str, str] | None = None,
        traceparent: str | None = None,
    ) -> Iterator[Observation]:
        """Trace what happens inside as one run, under a root observation with `query` as its input.

        Every span started inside, in this thread or in one with its context copied, carries the session, the
        user, the tags (`run-<run_id>` and `strands-agents` come first), the metadata and our version: the
        agent needs no `trace_attributes`. An exception that passes through marks the run as failed. When the
        block ends, spans that are still open (of an abandoned thread) enter the trace unfinished.
        `traceparent`, W3C's header, becomes a link.
        """
        self._prepare()
        attributes = {
            "session.id": session_id,
            "user.id": user_id,
            "langfuse.trace.name": name,
            "langfuse.trace.tags": (f"run-{run_id}", "strands-agents", *tags),
            "langfuse.version": __version__,
            **{
                f"langfuse.trace.metadata.{key}": self._metadata_value(value)
                for key, value in (metadata or {}).items()
            },
        }
        context = RunSpans(_without_none(attributes)).attach_to(Context())
        root = self._tracer.start_span(name, context, links=_caller(traceparent))
        root.set_attributes(self._root_attributes(query))
        observation = Observation(self.links(run_id, root), root)
        with trace.use_span(root, end_on_exit=True, set_status_on_exception=False):
            try:
                yield observation
            except BaseException as error:
                if not observation.failed:
                    observation.fail(type(error).__name__, str(error))
                raise

    def links(self, run_id: str, root: Span = trace.INVALID_SPAN) -> dict[str, str | None]:
        """The four trace fields of the response; all None without tracing."""
        if self._settings is None:
            return dict(UNTRACED)
        context = root.get_span_context()
        trace_id = format_trace_id(context.trace_id) if context.is_valid else None
        host = None if self._settings.otlp_endpoint else self._settings.langfuse_host
        url = f"{host}/trace/{trace_id}" if host and trace_id else None
        return dict(zip(UNTRACED, (host, f"run-{run_id}", trace_id, url), strict=True))

    def export(self, budget_s: float) -> None:
        """Send the finished runs, within `budget_s` seconds whatever the backend does.

        Never raises. Runs that could not be sent are kept and sent with the next export.
        """
        if self._export_queue is not None:
            self._export_queue().export(budget_s)

    def _prepare(self) -> None:
        """If the user's code has imported Langfuse's SDK, create its client for `get_client()`.

        Only before the first run: after that our own export may be importing it.
        """
        first, self._first = self._first, False
        if first and self._export_queue is not None and "langfuse" in sys.modules:
            self._export_queue().prepare()

    def _root_attributes(self, query: Mapping[str, Any]) -> dict[str, Any]:
        attributes: dict[str, Any] = {
            "langfuse.observation.type": "span",
            "langfuse.observation.input": _json(query),
            "langfuse.internal.is_app_root": True,
        }
        if self._settings is not None:
            attributes["langfuse.environment"] = self._settings.langfuse_environment or None
            attributes["langfuse.release"] = self._settings.langfuse_release or None
        return _without_none(attributes)

    def _metadata_value(self, value: str) -> str:
        """Encode a value of the metadata: Langfuse reads JSON in spans of its own SDK."""
        plain = self._settings is None or self._settings.otlp_endpoint
        return value if plain else json.dumps(value, ensure_ascii=False)


def start_tracing(settings: "Settings", session: "Callable[[], boto3.Session]") -> RunTracer:
    """Prepare the process for tracing, without a network call.

    Args:
        settings: whether to trace, the backend, and the sample rate.
        session: returns the AWS session; called at the first export that needs a secret.
    """
    if not settings.tracing_enabled or not (settings.otlp_endpoint or _has_keys(settings)):
        return RunTracer()
    buffer = SpanBuffer(settings.trace_sample_rate)
    resource = build_resource(
        os.environ,
        version=__version__,
        environment=settings.langfuse_environment,
        release=settings.langfuse_release,
    )
    provider = RunTracerProvider(buffer, resource)
    trace.set_tracer_provider(provider)
    export_queue = functools.cache(
        functools.partial(_create_export_queue, settings, session, provider, buffer)
    )
    return RunTracer(settings, provider.get_tracer(SCOPE, __version__), export_queue)


def _create_export_queue(
    settings: "Settings",
    session: "Callable[[], boto3.Session]",
    provider: RunTracerProvider,
    buffer: SpanBuffer,
) -> "ExportQueue":
    from traced_agent.tracing.backends import LangfuseBackend, OtlpBackend  # noqa: PLC0415
    from traced_agent.tracing.content_filter import without_content  # noqa: PLC0415 - after the response
    from traced_agent.tracing.export_queue import ExportQueue  # noqa: PLC0415

    return ExportQueue(
        OtlpBackend(settings, session)
        if settings.otlp_endpoint
        else LangfuseBackend(settings, session, provider),
        buffer.finished,
        remove_content=without_content if settings.trace_content == "metadata" else None,
        spool_to_log=settings.trace_spool == "log",
    )


def _has_keys(settings: "Settings") -> bool:
    keys = (settings.langfuse_public_key, settings.langfuse_secret_key)
    if any(keys) and not all(keys):
        logger.warning(
            "runs are not traced: set both LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY, one is missing"
        )
    return bool(settings.langfuse_secret_arn) or all(keys)


def _caller(traceparent: str | None) -> list[Link]:
    """The caller's span as a link: with a remote parent, Langfuse shows no input and output of the trace."""
    if not traceparent:
        return []
    remote = TraceContextTextMapPropagator().extract({"traceparent": traceparent}, Context())
    context = trace.get_current_span(remote).get_span_context()
    return [Link(context)] if context.is_valid else []


def _without_none(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in attributes.items() if value is not None}


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, default=str)
