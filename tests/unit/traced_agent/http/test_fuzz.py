"""Whatever comes in: a contract's answer goes out, never a failure of ours, never a look inside."""

import base64
import functools
import json

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from traced_agent.errors import STATUS
from traced_agent.settings import Settings

SECRET = "sk-lf-do-not-tell"

fuzzed = functools.partial(  # 6,500 inputs in all
    settings,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

NAMES = st.sampled_from(
    ["query", "prompt", "session_id", "user_id", "tags", "metadata", "action", "parameters", "demo_type"]
)
TEXTS = st.text(st.characters(codec=None), max_size=40) | st.sampled_from(
    [
        "run_demo",
        "basic",
        "../../etc/passwd",
        "\ud800",
        "\x00",
        "{{7*7}}",
        "${jndi:x}",
        "\r\nset-cookie: a=b",
        "💥",
    ]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS
VALUES = SCALARS
for _ in range(3):  # st.recursive draws values of this size in twice the time
    VALUES = SCALARS | st.lists(VALUES, max_size=12) | st.dictionaries(NAMES | TEXTS, VALUES, max_size=6)
OBJECTS = st.dictionaries(NAMES | TEXTS, VALUES, max_size=6)


@pytest.fixture
def answered(calling):
    """Calls a handler, and holds its answer against the contract."""
    called = calling(settings=Settings(langfuse_public_key="pk", langfuse_secret_key=SECRET))

    def check(event, raw=b""):
        response = called.handler(event, _Context)
        assert set(response) == {"statusCode", "headers", "body", "isBase64Encoded"}
        assert all(isinstance(value, str) and value.isprintable() for value in response["headers"].values())
        told = json.dumps(response, ensure_ascii=False).encode().decode()
        sent = str(event) + raw.decode(errors="replace")  # an answer may name a field as it was sent
        for inside in ("Traceback", ".py", "site-packages", "object at 0x", "pydantic", SECRET):
            assert inside not in told or inside in sent
        if response["statusCode"] in (200, 204):
            return response
        body = json.loads(
            response["body"] or '{"success": false, "error": {"code": "not_found", "message": "x"}}'
        )
        assert body["success"] is False
        assert body["error"]["message"]
        assert STATUS[body["error"]["code"]] == response["statusCode"] < 500
        return response

    return check


class _Context:
    aws_request_id = "fuzz"

    @staticmethod
    def get_remaining_time_in_millis():
        return 30_000


def event_of(body, **changed):
    http = {"method": "POST", "path": "/"}
    return {"rawPath": "/", "headers": {}, "requestContext": {"http": http}, "body": body, **changed}


@given(st.binary(max_size=300))
@example(b"\x00")
@example(b'{"query": "\xed\xa0\x80"}')
@example(b"[" * 100_000)
@fuzzed(max_examples=2_500)
def test_any_bytes(answered, raw):
    answered(event_of(base64.b64encode(raw).decode(), isBase64Encoded=True), raw)


GOOD_BODY = b'{"query": "Hi", "session_id": "s", "tags": ["a"], "metadata": {"k": "v"}}'
DAMAGE = st.tuples(st.integers(0, len(GOOD_BODY)), st.integers(0, 3), st.binary(max_size=3))
"""Where bytes are replaced, how many, and by what."""


@given(st.lists(DAMAGE, min_size=1, max_size=4))
@fuzzed(max_examples=2_500)
def test_any_damage_to_a_good_body(answered, damage):
    raw = bytearray(GOOD_BODY)
    for at, count, replacement in damage:
        raw[at : at + count] = replacement
    answered(event_of(base64.b64encode(raw).decode(), isBase64Encoded=True), raw)


@given(OBJECTS | VALUES)
@fuzzed(max_examples=500)
def test_any_json(answered, value):
    answered(event_of(json.dumps(value)))
    answered(value)


@given(
    st.fixed_dictionaries(
        {"requestContext": st.fixed_dictionaries({"http": OBJECTS | st.just({"method": "POST"})}) | VALUES},
        optional={
            "rawPath": st.sampled_from(["/", "/invocations", "/health", "/ping", "//", "/%00"]) | VALUES,
            "headers": st.dictionaries(
                st.sampled_from(
                    ["content-type", "traceparent", "X-Amzn-Bedrock-AgentCore-Runtime-Session-Id"]
                )
                | TEXTS,
                TEXTS | VALUES,
            )
            | VALUES,
            "cookies": VALUES,
            "body": st.just('{"query": "Hi"}') | VALUES,
            "isBase64Encoded": st.booleans() | VALUES,
        },
    )
)
@fuzzed(max_examples=500)
def test_any_event(answered, event):
    answered(event)
