"""Completes the spans of Strands with the attributes that Langfuse needs to show them correctly."""

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any, Final

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import StatusCode

from traced_agent.tracing.span_attributes import plain
from traced_agent.tracing.spans import copy_span

_USAGE: Final = "gen_ai.usage."
_PARAMETERS: Final = ("max_tokens", "temperature", "top_p", "top_k", "stop_sequences")
"""Keys of a Strands model's configuration that are parameters of the model."""


def complete(span: ReadableSpan, model_config: Mapping[str, Any] = {}) -> ReadableSpan:
    """Return the span with the type, usage, parameters and times that Strands does not set.

    Args:
        span: a finished span of a run.
        model_config: the configuration of the agent's model; its parameters go on the calls of that model.
    """
    operation = (span.attributes or {}).get("gen_ai.operation.name")
    if operation == "invoke_agent":
        return _agent(span)
    return _model_call(span, model_config) if operation == "chat" else span


def _agent(span: ReadableSpan) -> ReadableSpan:
    """Remove the agent's usage: it is the sum of the model calls, which would count twice."""
    attributes = plain(span.attributes) | {"langfuse.observation.type": "agent"}
    kept = {name: value for name, value in attributes.items() if not name.startswith(_USAGE)}
    return copy_span(span, attributes=kept)


def _model_call(span: ReadableSpan, model_config: Mapping[str, Any]) -> ReadableSpan:
    attributes = plain(span.attributes)
    if span.status.status_code is StatusCode.ERROR and f"{_USAGE}input_tokens" not in attributes:
        # Without usage Langfuse estimates tokens and cost for a call that was not billed.
        attributes |= {f"{_USAGE}input_tokens": 0, f"{_USAGE}output_tokens": 0}
    first_token_ms = attributes.get("gen_ai.server.time_to_first_token")
    if isinstance(first_token_ms, int | float) and span.start_time:
        time = dt.datetime.fromtimestamp(span.start_time / 1e9 + first_token_ms / 1000, dt.UTC)
        # Langfuse reads this attribute as JSON, as its SDK writes it.
        attributes["langfuse.observation.completion_start_time"] = json.dumps(
            time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        )
    if model_config.get("model_id") == attributes.get("gen_ai.request.model"):
        parameters = {name: model_config[name] for name in _PARAMETERS if model_config.get(name) is not None}
        attributes |= {
            f"gen_ai.request.{name}": tuple(value) if isinstance(value, list) else value
            for name, value in parameters.items()
        }
    return copy_span(span, attributes=attributes)
