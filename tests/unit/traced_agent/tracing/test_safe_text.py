"""Spans as they are sent: valid UTF-8, and no account number of the function."""

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import Status, StatusCode

from traced_agent.settings import Settings
from traced_agent.tracing.otlp_encoding import encode
from traced_agent.tracing.safe_text import account_numbers, text_filter
from traced_agent.tracing.span_export import span_converter
from traced_agent.tracing.spans import RunTracerProvider, SpanBuffer

ACCOUNT = "482915730641"
PROFILE = f"arn:aws:bedrock:us-east-1:{ACCOUNT}:application-inference-profile/abc123"


@pytest.fixture(
    params=[{}, {"otlp_endpoint": "https://collector.example/v1/traces"}], ids=["langfuse", "otlp"]
)
def converted(request):
    """Records one span, and converts it as before an export."""
    settings = Settings(bedrock_model_id=PROFILE, **request.param)

    def convert(name="chat", description=None, event=None, **attributes):
        buffer = SpanBuffer(1)
        with RunTracerProvider(buffer, Resource({})).get_tracer("test").start_as_current_span(name) as span:
            span.set_attributes({key.replace("__", "."): value for key, value in attributes.items()})
            span.add_event("exception", {"exception.message": event} if event else {})
            if description:
                span.set_status(Status(StatusCode.ERROR, description))
        (finished,) = buffer.finished.popleft()
        return span_converter(settings, {"model_id": PROFILE, "max_tokens": 7})(finished)

    return convert


def test_no_text_of_a_span_has_the_account_number(converted):
    denial = f"User: arn:aws:sts::{ACCOUNT}:assumed-role/r/f may not (account {ACCOUNT})"
    span = converted(
        f"invoke {PROFILE}",
        description=denial,
        event=denial,
        gen_ai__operation__name="chat",
        gen_ai__request__model=PROFILE,
        texts=(PROFILE, f"({ACCOUNT})"),
        number=12,
    )
    sent = encode([span])
    assert ACCOUNT.encode() not in sent
    assert b"arn:aws:sts::*:assumed-role/r/f may not (account *)" in sent
    assert span.attributes["gen_ai.request.model"] == "application-inference-profile/abc123"
    assert span.attributes["gen_ai.request.max_tokens"] == 7, "the parameters of the agent's model are kept"
    assert span.attributes["number"] == 12


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("arn:aws-cn:s3:::bucket", "arn:aws-cn:s3:::bucket"),
        ("arn:aws:iam::111122223333:role/r", "arn:aws:iam::*:role/r"),
        ("call 111122223333 now", "call 111122223333 now"),
        (f"1{ACCOUNT}", f"1{ACCOUNT}"),
        ("ünïcödé 🙂", "ünïcödé 🙂"),
        ("half \ud83d", "half ?"),
        ("\ud83d\ude00", "😀"),
    ],
)
def test_only_account_numbers_and_invalid_utf8_are_replaced(converted, text, sent):
    assert converted(text=text).attributes["text"] == sent


def test_half_of_a_surrogate_pair_loses_no_attribute(converted, caplog, own_records):
    caplog.set_level(logging.WARNING)
    sent = encode([converted(gen_ai__tool__call__result="half \ud83d of it")])
    assert b"half ? of it" in sent
    assert own_records() == []


@given(st.text())
def test_any_text_can_be_sent(text):
    buffer = SpanBuffer(1)
    with RunTracerProvider(buffer, Resource({})).get_tracer("test").start_as_current_span("x") as span:
        span.set_attribute("text", text)
    (finished,) = buffer.finished.popleft()
    sent = span_converter(Settings(bedrock_model_id=PROFILE), {})(finished).attributes["text"]
    sent.encode()
    assert len(sent) <= len(text)


def test_the_account_numbers_of_the_settings_are_found_in_their_arns():
    secret = "arn:aws-us-gov:secretsmanager:us-gov-west-1:111122223333:secret:s-abcdef"
    assert account_numbers([PROFILE, secret, "999988887777", 5, None]) == {ACCOUNT, "111122223333"}


def test_a_span_that_needs_no_change_is_not_copied():
    buffer = SpanBuffer(1)
    with RunTracerProvider(buffer, Resource({})).get_tracer("test").start_as_current_span("ünïcödé") as span:
        span.set_attributes({"text": "🙂 fine", "texts": ("a", "b"), "number": 1})
        span.add_event("event", {"content": "hello"})
    (finished,) = buffer.finished.popleft()
    assert text_filter({ACCOUNT})(finished) is finished
