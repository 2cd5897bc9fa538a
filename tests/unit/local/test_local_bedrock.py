import json

import boto3
import httpx
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EventStreamError, ReadTimeoutError

from tools.local.fakes.bedrock_faults import FAULTS, REFUSALS
from tools.local.fakes.bedrock_server import FakeBedrock
from tools.local.fakes.faults import FaultInjector

KEYS = {"aws_access_key_id": "any", "aws_secret_access_key": "any"}

CALCULATOR = {
    "toolSpec": {
        "name": "calculator",
        "description": "Calculates.",
        "inputSchema": {"json": {"type": "object", "properties": {"expression": {"type": "string"}}}},
    }
}


@pytest.fixture(scope="module")
def bedrock():
    with FakeBedrock() as server:
        yield server


@pytest.fixture(scope="module")
def client(bedrock):
    return boto3.client(
        "bedrock-runtime",
        endpoint_url=bedrock.url,
        region_name="us-east-1",
        **KEYS,
        config=Config(retries={"total_max_attempts": 1}, read_timeout=1.5),
    )


def ask(text, **more):
    return {"modelId": "any.model", "messages": [{"role": "user", "content": [{"text": text}]}], **more}


def test_the_same_question_gives_the_same_answer_and_usage(client):
    first, second = (client.converse(**ask("What is love?")) for _ in range(2))
    assert first["output"] == second["output"]
    assert "What is love?" in first["output"]["message"]["content"][0]["text"]
    assert first["usage"] == second["usage"]
    assert first["usage"]["totalTokens"] == first["usage"]["inputTokens"] + first["usage"]["outputTokens"] > 0


def test_arithmetic_calls_the_calculator_and_answers_with_its_result(client):
    asked = ask("What is 2+2?", toolConfig={"tools": [CALCULATOR]})
    turn = client.converse(**asked)
    assert turn["stopReason"] == "tool_use"
    use = turn["output"]["message"]["content"][1]["toolUse"]
    assert (use["name"], use["input"]) == ("calculator", {"expression": "2+2"})
    result = {"toolResult": {"toolUseId": use["toolUseId"], "content": [{"text": "4"}]}}
    asked["messages"] += [turn["output"]["message"], {"role": "user", "content": [result]}]
    assert client.converse(**asked)["output"]["message"]["content"] == [{"text": "The answer is 4."}]


def test_a_stream_has_the_content_of_the_plain_call(client):
    plain = client.converse(**ask("Say it"))
    events = list(client.converse_stream(**ask("Say it"))["stream"])
    text = "".join(e["contentBlockDelta"]["delta"]["text"] for e in events if "contentBlockDelta" in e)
    assert text == plain["output"]["message"]["content"][0]["text"]
    assert events[0] == {"messageStart": {"role": "assistant"}}
    assert events[-1]["metadata"]["usage"] == plain["usage"]


@pytest.mark.parametrize("fault", REFUSALS)
def test_a_directive_in_the_prompt_gives_an_error_of_the_service(client, fault):
    status, kind, message = REFUSALS[fault]
    with pytest.raises(ClientError) as refused:
        client.converse_stream(**ask(f"[[{fault}]] please"))
    assert refused.value.response["Error"] == {"Code": kind, "Message": message}
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == status


def test_a_counted_directive_ends_after_its_count(client):
    for _ in range(2):
        with pytest.raises(ClientError):
            client.converse(**ask("[[throttle 2]] then answer"))
    assert client.converse(**ask("[[throttle 2]] then answer"))["stopReason"] == "end_turn"


def test_faults_injected_from_python_occur_that_many_times(bedrock, client):
    bedrock.inject_fault("deny", times=1)
    with pytest.raises(ClientError, match="AccessDenied"):
        client.converse(**ask("hello"))
    assert client.converse(**ask("hello"))["stopReason"] == "end_turn"


def test_an_unknown_fault_is_rejected_with_the_choices(bedrock):
    with pytest.raises(ValueError, match="throttle"):
        bedrock.inject_fault("explode")


def test_a_broken_stream_starts_and_then_raises(client):
    stream = iter(client.converse_stream(**ask("[[break]] tell me a story"))["stream"])
    assert "messageStart" in next(stream)
    assert "contentBlockDelta" in next(stream)
    with pytest.raises(EventStreamError, match="modelStreamErrorException"):
        list(stream)


@pytest.mark.parametrize("fault", ["garbage", "cut"])
def test_a_damaged_stream_raises(client, fault):
    with pytest.raises(Exception):  # noqa: B017, PT011 - whatever botocore makes of it
        list(client.converse_stream(**ask(f"[[{fault}]]"))["stream"])


def test_an_empty_answer_has_no_content(client):
    assert client.converse(**ask("[[empty]]"))["output"]["message"]["content"] == []


def test_the_hang_fault_sends_no_byte(client):
    with pytest.raises(ReadTimeoutError):
        client.converse(**ask("[[hang]]"))


def test_the_drip_fault_keeps_sending_words(client):
    stream = iter(client.converse_stream(**ask("[[drip]]"))["stream"])
    next(stream)
    assert [next(stream)["contentBlockDelta"]["delta"]["text"] for _ in range(2)] == ["drip ", "drip "]


def test_every_request_is_kept_for_the_test_to_see(bedrock, client):
    client.converse(**ask("Remember me"))
    assert bedrock.requests[-1]["modelId"] == "any.model"
    assert "Remember me" in json.dumps(bedrock.requests[-1])


def test_other_operations_are_rejected(bedrock):
    assert httpx.post(f"{bedrock.url}/model/any/invoke", json={}).status_code == 404


def test_every_fault_is_described():
    assert all(FAULTS.values())


def test_a_share_of_the_calls_fails_with_each_fault_equally_often():
    injector = FaultInjector(FAULTS)
    injector.inject_share(["deny", "empty", "hang"], 0.15)
    calls = [injector.next_fault() for _ in range(400)]
    assert {fault: calls.count(fault) for fault in ("ok", "deny", "empty", "hang")} == {
        "ok": 340,
        "deny": 20,
        "empty": 20,
        "hang": 20,
    }
    assert calls[:100] != calls[100:200], "the order is random"
    injector.inject("ok")
    assert {injector.next_fault() for _ in range(100)} == {"ok"}


def test_an_unknown_fault_has_no_share():
    with pytest.raises(ValueError, match="no fault 'explode'"):
        FaultInjector(FAULTS).inject_share(["deny", "explode"], 0.2)


def test_calls_are_counted_by_fault_and_rejections_by_message(client):
    with FakeBedrock() as server:
        own = boto3.client("bedrock-runtime", endpoint_url=server.url, region_name="us-east-1", **KEYS)
        own.converse(**ask("Hello"))
        own.converse(**ask("[[empty]] Hello"))
        with pytest.raises(ClientError, match="must start with a user message"):
            own.converse(modelId="any", messages=[{"role": "assistant", "content": [{"text": "Hi"}]}])
        assert server.injected == {"ok": 1, "empty": 1}
        assert [count for message, count in server.rejected.items() if "start with a user" in message] == [1]


def test_an_emoji_arrives_in_two_deltas(client):
    events = list(client.converse_stream(**ask("[[emoji]] please"))["stream"])
    deltas = [e["contentBlockDelta"]["delta"]["text"] for e in events if "contentBlockDelta" in e]
    assert deltas == ["Good ", "\ud83d", "\ude00", "!"]


@pytest.mark.parametrize(
    ("fault", "stop_reason", "tool"),
    [
        ("guardrail_tool", "guardrail_intervened", "calculator"),
        ("sequence_tool", "stop_sequence", "calculator"),
        ("unknown_tool", "tool_use", "no_such_tool"),
        ("empty_after_tool", "tool_use", "calculator"),
    ],
)
def test_a_faulty_reply_names_a_tool(client, fault, stop_reason, tool):
    turn = client.converse(**ask(f"[[{fault}]]", toolConfig={"tools": [CALCULATOR]}))
    assert turn["stopReason"] == stop_reason
    assert [
        block["toolUse"]["name"] for block in turn["output"]["message"]["content"] if "toolUse" in block
    ] == [tool]
