"""Traces every run: what was asked, what the agent did, what it answered.

`start` once, `observe` each run, `export` when nobody waits any more.
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
"""An answer's trace fields, where there is no trace."""


class Observation:
    """The root of one run's trace. Untraced, it takes the same calls and does nothing."""

    def __init__(self, links: Mapping[str, str | None], root: Span) -> None:
        self.links = links
        """The answer's four trace fields: langfuse_url, trace_filter, trace_id, trace_url."""
        self.failed = False
        self._root = root

    @property
    def trace_id(self) -> str | None:
        """32 hex digits; None untraced."""
        return self.links["trace_id"]

    def answer(self, output: Mapping[str, Any]) -> None:
        """Put the run's answer, as JSON can hold it, on the trace."""
        self._root.set_attribute("langfuse.observation.output", _json(output))

    def fail(self, code: str, message: str) -> None:
        """Mark the run as failed; what is still open when it ends is marked with the same reason."""
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
    """Where runs are traced, and sent from: one for the life of the process. By default it does neither."""

    def __init__(
        self,
        settings: "Settings | None" = None,
        tracer: Tracer | None = None,
        delivery: "Callable[[], ExportQueue] | None" = None,
    ) -> None:
        self._settings = settings
        self._tracer = tracer or trace.NoOpTracer()
        self._delivery = delivery
        self._first = True

    @property
    def enabled(self) -> bool:
        """Whether runs are traced at all."""
        return self._delivery is not None

    @contextmanager
    def observe(  # noqa: PLR0913 - what a trace can bear
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
        block is left, spans still open (of an abandoned thread, say) enter the trace as they stand.
        `traceparent`, W3C's header, becomes a link.
        """
        self._prepare()
        carried = {
            "session.id": session_id,
            "user.id": user_id,
            "langfuse.trace.name": name,
            "langfuse.trace.tags": (f"run-{run_id}", "strands-agents", *tags),
            "langfuse.version": __version__,
            **{
                f"langfuse.trace.metadata.{key}": self._spell(value)
                for key, value in (metadata or {}).items()
            },
        }
        context = RunSpans(_given(carried)).attach_to(Context())
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
        """The answer's four trace fields: all None untraced, the trace's own without a trace."""
        if self._settings is None:
            return dict(UNTRACED)
        context = root.get_span_context()
        trace_id = format_trace_id(context.trace_id) if context.is_valid else None
        host = None if self._settings.otlp_endpoint else self._settings.langfuse_host
        url = f"{host}/trace/{trace_id}" if host and trace_id else None
        return dict(zip(UNTRACED, (host, f"run-{run_id}", trace_id, url), strict=True))

    def export(self, budget_s: float) -> None:
        """Send what was traced, within `budget_s` seconds whatever the backend does.

        Never raises. What could not be sent is kept and goes with the next export.
        """
        if self._delivery is not None:
            self._delivery().export(budget_s)

    def _prepare(self) -> None:
        """Where the agent's author has imported Langfuse's SDK, have its client ready for `get_client()`.

        Only before the first run: from then on it may be our own export that imports it, just now.
        """
        first, self._first = self._first, False
        if first and self._delivery is not None and "langfuse" in sys.modules:
            self._delivery().prepare()

    def _root_attributes(self, query: Mapping[str, Any]) -> dict[str, Any]:
        known: dict[str, Any] = {
            "langfuse.observation.type": "span",
            "langfuse.observation.input": _json(query),
            "langfuse.internal.is_app_root": True,
        }
        if self._settings is not None:
            known["langfuse.environment"] = self._settings.langfuse_environment or None
            known["langfuse.release"] = self._settings.langfuse_release or None
        return _given(known)

    def _spell(self, value: str) -> str:
        """A value of metadata, which Langfuse takes for JSON when it comes from its own SDK."""
        plain = self._settings is None or self._settings.otlp_endpoint
        return value if plain else json.dumps(value, ensure_ascii=False)


def start_tracing(settings: "Settings", session: "Callable[[], boto3.Session]") -> RunTracer:
    """Make the process ready to trace, without a call on the network.

    Args:
        settings: whether, where to and how much.
        session: asked for the AWS session at the first export that needs a secret.
    """
    if not settings.tracing_enabled or not (settings.otlp_endpoint or _has_keys(settings)):
        return RunTracer()
    recorder = SpanBuffer(settings.trace_sample_rate)
    about = build_resource(
        os.environ,
        version=__version__,
        environment=settings.langfuse_environment,
        release=settings.langfuse_release,
    )
    provider = RunTracerProvider(recorder, about)
    trace.set_tracer_provider(provider)
    delivery = functools.cache(functools.partial(_delivery, settings, session, provider, recorder))
    return RunTracer(settings, provider.get_tracer(SCOPE, __version__), delivery)


def _delivery(
    settings: "Settings",
    session: "Callable[[], boto3.Session]",
    provider: RunTracerProvider,
    recorder: SpanBuffer,
) -> "ExportQueue":
    from traced_agent.tracing.backends import LangfuseBackend, OtlpBackend  # noqa: PLC0415
    from traced_agent.tracing.content_filter import without_content  # noqa: PLC0415 - none of these before the answer
    from traced_agent.tracing.export_queue import ExportQueue  # noqa: PLC0415

    return ExportQueue(
        OtlpBackend(settings, session)
        if settings.otlp_endpoint
        else LangfuseBackend(settings, session, provider),
        recorder.finished,
        strip=without_content if settings.trace_content == "metadata" else None,
        spooled=settings.trace_spool == "log",
    )


def _has_keys(settings: "Settings") -> bool:
    keys = (settings.langfuse_public_key, settings.langfuse_secret_key)
    if any(keys) and not all(keys):
        logger.warning(
            "runs need both LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY to be traced: one is missing"
        )
    return bool(settings.langfuse_secret_arn) or all(keys)


def _caller(traceparent: str | None) -> list[Link]:
    """The caller's span as a link: as a parent it would take the trace-level input and output away."""
    if not traceparent:
        return []
    remote = TraceContextTextMapPropagator().extract({"traceparent": traceparent}, Context())
    context = trace.get_current_span(remote).get_span_context()
    return [Link(context)] if context.is_valid else []


def _given(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in attributes.items() if value is not None}


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, default=str)
