"""A client that joins the text events, and discards them at each reset, gets what the agent said, once."""

import pytest

from traced_agent.streaming.answer_text import AnswerText


class Client:
    """Joins the text of a stream."""

    def __init__(self):
        self.text, self.resets = "", []

    def __call__(self, event, content):
        if event == "reset":
            self.text = ""
            self.resets.append(content["reason"])
        else:
            self.text += content["text"]


def call(*deltas):
    return [{"event": {"messageStart": {"role": "assistant"}}}, *({"data": delta} for delta in deltas)]


def message(text, role="assistant"):
    return {"message": {"role": role, "content": [{"text": text}]}}


THROTTLED = {"event_loop_throttled_delay": 1}
CASES = {
    "no fault": ([*call("a", "b"), message("ab")], "ab", []),
    "a call that is repeated": (
        [*call("a", "b"), THROTTLED, *call("a", "c"), message("ac")],
        "ac",
        ["retry"],
    ),
    "a call that a hook repeats": ([*call("a"), *call("b"), message("b")], "b", ["retry"]),
    "a second call that is repeated": (
        [*call("one. "), message("one. "), *call("tw"), *call("two."), message("two.")],
        "one. two.",
        ["retry"],
    ),
    "a message that a guardrail replaces": ([*call("bad"), message("Redacted.")], "Redacted.", ["replaced"]),
    "the second message replaced": (
        [*call("one. "), message("one. "), *call("bad"), message("Redacted.")],
        "one. Redacted.",
        ["replaced"],
    ),
    "a throttle before any text": ([*call(), THROTTLED, *call("a"), message("a")], "a", []),
    "an emoji in two deltas": ([*call("\ud83d", "\ude00"), message("\ud83d\ude00")], "😀", []),
    "half an emoji, then a new call": ([*call("a\ud83d"), *call("b"), message("b")], "b", ["retry"]),
    "half an emoji at the end": ([*call("a\ud83d"), message("a?")], "a?", []),
    "text that was not streamed": ([message("Stopped.")], "Stopped.", []),
    "a user's message": ([message("what the user said", role="user")], "", []),
}


@pytest.mark.parametrize(("events", "text", "resets"), CASES.values(), ids=CASES)
def test_the_joined_text_equals_the_agents_text(events, text, resets):
    client = Client()
    answer = AnswerText(client)
    for event in events:
        answer.on_event(event)
    assert (client.text, client.resets) == (text, resets)
