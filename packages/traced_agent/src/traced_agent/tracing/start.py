"""Prepares the process for tracing: the provider, the backend, the export queue and the prompt."""

import functools
import logging
import os
from collections.abc import Callable, Mapping, MutableMapping
from typing import TYPE_CHECKING

from opentelemetry import trace

from traced_agent.tracing import provider
from traced_agent.tracing.spans import SCOPE, RunTracerProvider
from traced_agent.tracing.tracer import RunTracer
from traced_agent.version import __version__

if TYPE_CHECKING:
    import boto3

    from traced_agent.settings import Settings
    from traced_agent.tracing.backends import TraceBackend
    from traced_agent.tracing.export_queue import ExportQueue
    from traced_agent.tracing.prompts import PromptSource

logger = logging.getLogger(__name__)


def start_tracing(
    settings: "Settings",
    session: "Callable[[], boto3.Session]",
    environ: MutableMapping[str, str] = os.environ,
) -> RunTracer:
    """Prepare the process for tracing, without a network call.

    Args:
        settings: whether to trace, the backend, and the sample rate.
        session: returns the AWS session; called at the first export that needs a secret.
        environ: the variables that OpenTelemetry and Langfuse's SDK read.

    Raises:
        SettingsError: see `provider.install`.
    """
    _log_unused_variables(settings, environ)
    if not provider.is_configured(settings):
        if settings.prompt:
            logger.warning("LANGFUSE_PROMPT is ignored: runs are not traced in Langfuse")
        return RunTracer()
    installed = provider.install(settings, environ)
    tracer = installed.get_tracer(SCOPE, __version__)
    if isinstance(tracer, trace.NoOpTracer):
        logger.warning("runs are not traced: OTEL_SDK_DISABLED is true")
        return RunTracer()
    run_tracer = RunTracer(settings, tracer)
    backend = functools.cache(functools.partial(_create_backend, settings, session, installed, run_tracer))
    create_queue = functools.partial(_create_export_queue, settings, backend, installed, run_tracer)
    run_tracer._export_queue = functools.cache(create_queue)  # noqa: SLF001
    if settings.prompt:
        run_tracer.prompts = _fetch_prompt(settings, backend)
    return run_tracer


def _create_backend(
    settings: "Settings",
    session: "Callable[[], boto3.Session]",
    installed: RunTracerProvider,
    run_tracer: RunTracer,
) -> "TraceBackend":
    from traced_agent.tracing.backends import create_backend  # noqa: PLC0415 - after the response

    return create_backend(settings, session, installed, run_tracer.set_project_id)


def _create_export_queue(
    settings: "Settings",
    backend: "Callable[[], TraceBackend]",
    installed: RunTracerProvider,
    run_tracer: RunTracer,
) -> "ExportQueue":
    from traced_agent.tracing.export_queue import ExportQueue  # noqa: PLC0415 - after the response
    from traced_agent.tracing.span_export import span_converter  # noqa: PLC0415

    return ExportQueue(
        backend(),
        installed.buffer.finished,
        scores=run_tracer.scores,
        convert=span_converter(settings, run_tracer.model_config),
        spool_to_log=settings.trace_spool == "log",
    )


def _fetch_prompt(settings: "Settings", backend: "Callable[[], TraceBackend]") -> "PromptSource | None":
    from traced_agent.tracing.langfuse_backend import LangfuseBackend  # noqa: PLC0415 - only if it is configured
    from traced_agent.tracing.prompts import PromptSource  # noqa: PLC0415

    langfuse = backend()
    if not isinstance(langfuse, LangfuseBackend):
        logger.warning("LANGFUSE_PROMPT is ignored: traces go to an OTLP endpoint, not to Langfuse")
        return None
    prompts = PromptSource(settings.prompt, langfuse.api)
    prompts.fetch()
    return prompts


def _log_unused_variables(settings: "Settings", environ: Mapping[str, str]) -> None:
    keys = (settings.langfuse_public_key, settings.langfuse_secret_key)
    if any(keys) and not all(keys) and not settings.langfuse_secret_arn:
        logger.warning(
            "runs are not traced: set both LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY, one is missing"
        )
    if environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") and not settings.otlp_endpoint:
        logger.warning(
            "OTEL_EXPORTER_OTLP_ENDPOINT is not used: to send traces there instead of Langfuse, set "
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT to that address followed by /v1/traces"
        )
