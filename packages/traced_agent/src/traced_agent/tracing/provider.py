"""Installs the tracer provider of the process, before other code can install one.

A Langfuse client, or any other tracer provider, that is created before ours becomes the global provider. It
would then send the spans of the agent: without session, user and tags, and with their content even if
`TRACE_CONTENT=metadata` is set. So ours is installed while `traced_agent` is imported, before the user's
modules, and replaces a provider that is even older (an auto-instrumentation layer's).
"""

import logging
import os
from collections.abc import MutableMapping
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.util._once import Once

from traced_agent.settings import Settings, SettingsError
from traced_agent.tracing import waiting_clients
from traced_agent.tracing.invalid_variables import without_invalid_variables
from traced_agent.tracing.spans import RunTracerProvider, SpanBuffer, build_resource
from traced_agent.version import __version__

logger = logging.getLogger(__name__)

_CONVENTIONS: Final = "OTEL_SEMCONV_STABILITY_OPT_IN"
"""OpenTelemetry's variable for the conventions that Strands follows."""

_READABLE: Final = "gen_ai_latest_experimental,gen_ai_span_attributes_only"
"""With both, Langfuse shows messages as text and tool cards. With the first alone it shows no output."""


def install_early(environ: MutableMapping[str, str] = os.environ) -> None:
    """Install the provider while the package is imported, if this is a Lambda function that is traced.

    Invalid settings are reported later, by `create_handler`.
    """
    if "AWS_LAMBDA_FUNCTION_NAME" not in environ:
        return
    try:
        settings = Settings.from_env(environ)
    except SettingsError:
        return
    if is_configured(settings):
        install(settings, environ)
        if settings.langfuse_secret_arn and not settings.otlp_endpoint:
            waiting_clients.watch()


def is_configured(settings: Settings) -> bool:
    """Whether runs are traced: tracing is enabled, and there is an endpoint or a complete set of keys."""
    keys = (settings.langfuse_public_key, settings.langfuse_secret_key)
    return settings.tracing_enabled and bool(
        settings.otlp_endpoint or settings.langfuse_secret_arn or all(keys)
    )


def install(settings: Settings, environ: MutableMapping[str, str] = os.environ) -> RunTracerProvider:
    """Make ours the global provider, once per process.

    Raises:
        SettingsError: a Langfuse client was created earlier; it would send content past our filter.
    """
    current = trace._TRACER_PROVIDER  # noqa: SLF001 - the public function would create a provider
    if isinstance(current, RunTracerProvider):
        return current
    if not settings.otlp_endpoint:
        _choose_conventions(environ)
    provider = without_invalid_variables(lambda: _create(settings, environ), environ)
    if current is not None:
        _reject_langfuse_client(current)
        logger.warning(
            "another OpenTelemetry tracer provider (%s) was installed first: it is replaced, so that runs "
            "are traced completely",
            type(current).__module__,
        )
        trace._TRACER_PROVIDER_SET_ONCE = Once()  # noqa: SLF001 - the public function refuses a second provider
    trace.set_tracer_provider(provider)
    return provider


def _create(settings: Settings, environ: MutableMapping[str, str]) -> RunTracerProvider:
    resource = build_resource(
        environ,
        version=__version__,
        environment=settings.langfuse_environment,
        release=settings.langfuse_release,
    )
    return RunTracerProvider(SpanBuffer(settings.trace_sample_rate), resource)


def _choose_conventions(environ: MutableMapping[str, str]) -> None:
    """Select the conventions that Langfuse renders well; a value of the user's is respected."""
    chosen = environ.setdefault(_CONVENTIONS, _READABLE)
    latest, attributes_only = _READABLE.split(",")
    if latest in chosen and attributes_only not in chosen:
        environ[_CONVENTIONS] = f"{chosen},{attributes_only}"
        logger.warning("%s needs %s with %s for Langfuse: added", _CONVENTIONS, attributes_only, latest)


def _reject_langfuse_client(provider: Any) -> None:
    active = getattr(provider, "_active_span_processor", None)
    processors = getattr(active, "_span_processors", ())
    if any(type(processor).__module__.startswith("langfuse.") for processor in processors):
        raise SettingsError(
            "a Langfuse client was created before traced_agent was imported: import traced_agent first, as "
            "lambda_handler.py does"
        )
