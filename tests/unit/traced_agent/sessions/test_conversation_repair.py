"""What is stored and restored is always a conversation that Bedrock accepts."""

import itertools
import random

import pytest

from tools.local.fakes.converse_rules import violation
from traced_agent.sessions.conversation import CLOSING_TEXT, repair


def user(*blocks):
    return {"role": "user", "content": [text(block) if isinstance(block, str) else block for block in blocks]}


def model(*blocks):
    return {**user(*blocks), "role": "assistant"}


def text(words):
    return {"text": words}


def use(identifier):
    return {"toolUse": {"toolUseId": identifier, "name": "clock", "input": {}}}


def result(identifier):
    return {"toolResult": {"toolUseId": identifier, "content": [{"text": "12"}], "status": "success"}}


CLOSED = model(CLOSING_TEXT)
WHOLE = [user("a"), model("b"), user("c"), model("look", use("1")), user(result("1")), model("d")]

CASES = {
    "a valid conversation": (WHOLE, WHOLE),
    "no conversation": ([], []),
    "its first question is gone": (WHOLE[1:], WHOLE[2:]),
    "it begins with a tool's result": (WHOLE[4:], []),
    "a tool's result and a question at the start": (
        [user(result("0"), "q"), model("a")],
        [user("q"), model("a")],
    ),
    "it ends on a tool's result": (WHOLE[:5], [*WHOLE[:5], CLOSED]),
    "it ends on a question": (WHOLE[:3], [*WHOLE[:3], CLOSED]),
    "a tool did not run": (
        [user("a"), model("no", use("1"))],
        [user("a"), model("no")],
    ),
    "a tool did not run, without text": ([user("a"), model(use("1"))], [user("a"), CLOSED]),
    "one of two tools did not run": (
        [user("a"), model(use("1"), use("2")), user(result("1")), model("b")],
        [user("a"), model(use("1")), user(result("1")), model("b")],
    ),
    "a result of no tool": (
        [user("a"), model("b"), user(result("9")), model("c")],
        [user("a"), model("b", "c")],
    ),
    "a result twice": (
        [user("a"), model(use("1")), user(result("1"), result("1")), model("b")],
        [user("a"), model(use("1")), user(result("1")), model("b")],
    ),
    "a message is gone in the middle": (
        [user("a"), user("c"), model("d")],
        [user("a", "c"), model("d")],
    ),
    "blank text": ([user("a"), model("\n", "b")], [user("a"), model("b")]),
    "only blank text": ([user("a"), model(" ")], [user("a"), CLOSED]),
    "no messages at all": ([None, 1, {}, {"role": "system"}, {"role": "user", "content": "x"}], []),
}


@pytest.mark.parametrize(("messages", "valid"), CASES.values(), ids=CASES)
def test_a_conversation_is_made_valid_with_the_least_change(messages, valid):
    assert repair(messages) == valid


@pytest.mark.parametrize(
    ("messages", "kept"),
    [
        ([user("a"), model("look", use("1"))], True),
        ([user("a")], True),
        ([model("look", use("1"))], False),
    ],
    ids=["a tool waits", "a hook waits", "its question is gone"],
)
def test_an_interrupt_keeps_the_tools_that_wait_for_it(messages, kept):
    assert repair(messages, interrupted=True) == (messages if kept else [])


BLOCKS = [text("x"), text(" "), use("1"), use("2"), result("1"), result("2"), {}, {"toolUse": {}}, 7]


def test_bedrock_accepts_every_stored_conversation():
    chance = random.Random(14)
    for _ in range(5000):
        messages = [
            {
                "role": chance.choice(["user", "assistant"]),
                "content": chance.sample(BLOCKS, chance.randint(0, 4)),
            }
            for _ in range(chance.randint(0, 8))
        ]
        valid = repair(messages)
        request = {"messages": [*valid, user("next")], "toolConfig": {"tools": [{}]}}
        assert violation(request) is None, (messages, valid)
        assert repair(valid) == valid


def test_each_part_of_a_valid_conversation_is_kept():
    """Cut at any two places, all that Bedrock would still accept remains."""
    for first, last in itertools.combinations(range(len(WHOLE) + 1), 2):
        kept = [message for message in repair(WHOLE[first:last]) if message != CLOSED]
        assert all(message in WHOLE or message == model("look") for message in kept)
