"""What the fake Bedrock rejects, with Bedrock's messages."""

import json

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from tools.local.fakes.bedrock_server import FakeBedrock
from tools.local.fakes.converse_rules import violation

TOOLS = {"tools": [{"toolSpec": {"name": "clock", "inputSchema": {"json": {"type": "object"}}}}]}


def user(*blocks):
    return {"role": "user", "content": [{"text": b} if isinstance(b, str) else b for b in blocks]}


def assistant(*blocks):
    return {**user(*blocks), "role": "assistant"}


def tool_use(identifier, given=None):
    return {"toolUse": {"toolUseId": identifier, "name": "clock", "input": {} if given is None else given}}


def tool_result(identifier, text="noon"):
    return {"toolResult": {"toolUseId": identifier, "content": [{"text": text}]}}


TURN = (user("what time is it?"), assistant("Let me look.", tool_use("t1")))

REJECTED = {
    "no message": ([], TOOLS, "messages field is empty"),
    "a message without content": (
        [user()],
        TOOLS,
        "content field in the Message object at messages.0 is empty",
    ),
    "the assistant first": ([assistant("hi"), user("hi")], TOOLS, "must start with a user message"),
    "two users": ([user("a"), user("b")], TOOLS, "must alternate between user and assistant roles"),
    "two assistants": ([user("a"), assistant("b"), assistant("c"), user("d")], TOOLS, "must alternate"),
    "the assistant last": ([user("a"), assistant("b")], TOOLS, "must end with a user message"),
    "an unknown role": ([{**user("a"), "role": "system"}], TOOLS, "role field"),
    "an empty text": ([user("")], TOOLS, "ContentBlock object at messages.0.content.0 is blank"),
    "a blank text": ([user("a", " \n")], TOOLS, "ContentBlock object at messages.0.content.1 is blank"),
    "a blank text of the model": (
        [user("a"), assistant(" "), user("b")],
        TOOLS,
        "messages.1.content.0 is blank",
    ),
    "a tool call without its result": (
        [*TURN, user("hello?")],
        TOOLS,
        "messages.2.content for the following Ids: t1",
    ),
    "one of two results": (
        [user("a"), assistant(tool_use("t1"), tool_use("t2")), user(tool_result("t1"))],
        TOOLS,
        "messages.2.content for the following Ids: t2",
    ),
    "a result of another call": ([*TURN, user(tool_result("t9"))], TOOLS, "for the following Ids: t1"),
    "a result without a call": (
        [user(tool_result("t1"))],
        TOOLS,
        "messages.0.content exceeds the number of toolUse",
    ),
    "a result twice": (
        [*TURN, user(tool_result("t1"), tool_result("t1"))],
        TOOLS,
        "exceeds the number of toolUse",
    ),
    "a call of the user": (
        [user(tool_use("t1"))],
        TOOLS,
        "`toolUse` blocks can only be in `assistant` messages",
    ),
    "an input that is a text": (
        [user("a"), assistant(tool_use("t1", "{}")), user(tool_result("t1"))],
        TOOLS,
        "messages.1.content.0.toolUse.input is invalid",
    ),
    "tool blocks without toolConfig": (
        [*TURN, user(tool_result("t1"))],
        None,
        "toolConfig field must be defined",
    ),
}


@pytest.mark.parametrize(("messages", "tools", "message"), REJECTED.values(), ids=REJECTED)
def test_a_conversation_is_rejected_that_bedrock_rejects(messages, tools, message):
    assert message in violation({"messages": messages, "toolConfig": tools})


@pytest.mark.parametrize(
    "messages",
    [
        [user("hello")],
        [user("hello"), assistant("hi"), user("how are you?")],
        [*TURN, user(tool_result("t1"))],
        [*TURN, user(tool_result("t1"), "and in London?")],
        [*TURN, user(tool_result("t1", text=""))],
        [*TURN, user(tool_result("t1")), assistant(tool_use("t2")), user(tool_result("t2"))],
    ],
)
def test_a_conversation_is_accepted_that_bedrock_accepts(messages):
    assert violation({"messages": messages, "toolConfig": TOOLS}) is None


def test_a_blank_system_prompt_is_rejected():
    request = {"messages": [user("hello")], "system": [{"text": " "}]}
    assert "SystemContentBlock object at system.0 is blank" in violation(request)


@pytest.mark.parametrize("operation", ["converse", "converse_stream"])
def test_the_client_gets_a_validation_exception_and_the_request_is_recorded(operation):
    with FakeBedrock() as bedrock:
        client = boto3.client(
            "bedrock-runtime",
            endpoint_url=bedrock.url,
            region_name="us-east-1",
            aws_access_key_id="any",
            aws_secret_access_key="any",
            config=Config(retries={"total_max_attempts": 1}),
        )
        with pytest.raises(ClientError) as rejected:
            getattr(client, operation)(modelId="any.model", messages=[user("a"), user("b")])
        assert bedrock.requests[-1]["messages"] == [user("a"), user("b")]
    assert rejected.value.response["Error"]["Code"] == "ValidationException"
    assert rejected.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


BLOCKS = st.one_of(
    st.text(max_size=3),
    st.builds(tool_use, st.sampled_from(["t1", "t2"])),
    st.builds(tool_result, st.sampled_from(["t1", "t2"])),
    st.dictionaries(st.text(max_size=3), st.none(), max_size=2),
    st.none(),
)
MESSAGES = st.lists(
    st.one_of(
        st.builds(
            lambda role, blocks: {**user(*blocks), "role": role},
            st.sampled_from(["user", "assistant"]),
            st.lists(BLOCKS, max_size=3),
        ),
        st.none(),
    ),
    max_size=4,
)


@given(MESSAGES)
def test_any_conversation_is_accepted_or_rejected_in_one_line(messages):
    found = violation(json.loads(json.dumps({"messages": messages})))
    assert found is None or "\n" not in found
