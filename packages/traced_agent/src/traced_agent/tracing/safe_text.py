"""Makes the text of spans safe to send: UTF-8 can encode it, and it contains no account number."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import Status

from traced_agent.settings import public_model_id
from traced_agent.text import replace_surrogates
from traced_agent.tracing.span_attributes import plain, text_values
from traced_agent.tracing.spans import copy_span

_ARN: Final = re.compile(r"(arn:aws[\w-]*:[\w-]*:[\w-]*:)(\d{12})(?!\d)")
"""https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html"""

_MODELS: Final = ("gen_ai.request.model", "llm.model_name", "langfuse.observation.model.name")
"""Attributes whose value is a model's id."""


def account_numbers(values: Iterable[Any]) -> set[str]:
    """The account numbers in the ARNs among these values."""
    return {found[2] for value in values if isinstance(value, str) for found in _ARN.finditer(value)}


def text_filter(own: Iterable[str]) -> Callable[[ReadableSpan], ReadableSpan]:
    """Return the function that makes the text of a span safe.

    Args:
        own: the account numbers that are removed wherever they are; those in ARNs are always removed.
    """
    numbers = sorted(own)
    marks = ("arn:aws", *numbers)
    alone = re.compile(rf"(?<!\d)(?:{'|'.join(numbers)})(?!\d)") if numbers else None

    def is_safe(text: str) -> bool:
        return _is_encodable(text) and not any(mark in text for mark in marks)

    def clean(text: str) -> str:
        if is_safe(text):
            return text
        text = _ARN.sub(r"\1*", replace_surrogates(text))
        return alone.sub("*", text) if alone else text

    def convert(span: ReadableSpan) -> ReadableSpan:
        # Most spans need no change, and a copy takes long.
        return span if is_safe("\0".join(_texts(span))) else with_text(_with_public_models(span), clean)

    return convert


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _texts(span: ReadableSpan) -> list[str]:
    """Every text of the span, as `with_text` changes them."""
    texts = [span.name, span.status.description or "", *(event.name for event in span.events)]
    for attributes in (span.attributes, *(event.attributes for event in span.events)):
        texts += attributes or ()
        texts += text_values(attributes)
    return texts


def with_text(span: ReadableSpan, change: Callable[[str], str]) -> ReadableSpan:
    """Return the span with `change` applied to each text in it."""

    def change_value(value: Any) -> Any:
        if isinstance(value, str):
            return change(value)
        return tuple(map(change_value, value)) if isinstance(value, tuple) else value

    def change_all(attributes: Mapping[str, Any] | None) -> dict[str, Any]:
        return {change(name): change_value(value) for name, value in plain(attributes).items()}

    description = span.status.description
    return copy_span(
        span,
        name=change(span.name),
        attributes=change_all(span.attributes),
        events=tuple(
            Event(change(event.name), change_all(event.attributes), event.timestamp) for event in span.events
        ),
        status=Status(span.status.status_code, change(description) if description else None),
    )


def _with_public_models(span: ReadableSpan) -> ReadableSpan:
    attributes = span.attributes or {}
    public = {name: public_model_id(str(attributes[name])) for name in _MODELS if name in attributes}
    return copy_span(span, attributes={**attributes, **public}) if public else span
