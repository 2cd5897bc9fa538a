"""What Bedrock's Converse and ConverseStream reject about a conversation, in Bedrock's own words.

AWS documents the shapes, not these rules; the rules and their messages come from answers of the service that
are quoted in public bug reports. A blank text in a `toolResult` is accepted, as by the service.
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

Block = Mapping[str, Any]
Message = Mapping[str, Any]

_ROLES = ("user", "assistant")
_TOOL_BLOCKS = {"toolUse": "assistant", "toolResult": "user"}
"""The role that may send each of them."""


def violation(request: Mapping[str, Any]) -> str | None:
    """The message of the `ValidationException` for this request body; None if Bedrock accepts it."""
    messages = request.get("messages")
    if not isinstance(messages, list) or not messages:
        return "The messages field is empty. Add a message to the messages field and try again."
    checks: Sequence[Callable[[], str | None]] = (
        lambda: _malformed(messages),
        lambda: _order(messages),
        lambda: next(_blank(messages, request.get("system") or []), None),
        lambda: _no_tool_config(messages, request),
        lambda: next(_tool_pairs(messages), None),
    )
    return next((message for check in checks if (message := check())), None)


def _malformed(messages: Sequence[Any]) -> str | None:
    for index, message in enumerate(messages):
        if not isinstance(message, dict) or message.get("role") not in _ROLES:
            return f"The role field in the Message object at messages.{index} is invalid: user or assistant."
        content = message.get("content")
        if not isinstance(content, list) or not content:
            return (
                f"The content field in the Message object at messages.{index} is empty. "
                "Add a ContentBlock object to the content field and try again."
            )
        for position, block in enumerate(content):
            if not isinstance(block, dict) or len(block) != 1:
                return f"The ContentBlock object at messages.{index}.content.{position} must set one member."
    return None


def _order(messages: Sequence[Message]) -> str | None:
    roles = [message["role"] for message in messages]
    if roles[0] != "user":
        return (
            "A conversation must start with a user message. "
            "Try again with a conversation that starts with a user message."
        )
    if any(first == second for first, second in pairwise(roles)):
        return (
            "A conversation must alternate between user and assistant roles. "
            "Make sure the conversation alternates between user and assistant roles and try again."
        )
    if roles[-1] != "user":
        return (
            "This model does not support assistant message prefill. "
            "The conversation must end with a user message."
        )
    return None


def _blank(messages: Sequence[Message], system: Sequence[Block]) -> Iterator[str]:
    places = [("SystemContentBlock", f"system.{index}", block) for index, block in enumerate(system)]
    places += [("ContentBlock", place, block) for place, block in _blocks(messages)]
    for shape, place, block in places:
        if "text" in block and not str(block["text"]).strip():
            yield (
                f"The text field in the {shape} object at {place} is blank. "
                "Add text to the text field, and try again."
            )


def _no_tool_config(messages: Sequence[Message], request: Mapping[str, Any]) -> str | None:
    if (request.get("toolConfig") or {}).get("tools"):
        return None
    if any(_TOOL_BLOCKS.keys() & block.keys() for _, block in _blocks(messages)):
        return "The toolConfig field must be defined when using toolUse and toolResult content blocks."
    return None


def _tool_pairs(messages: Sequence[Message]) -> Iterator[str]:
    asked: list[str] = []
    for index, message in enumerate(messages):
        yield from _misplaced(index, message)
        answered = _ids(message, "toolResult")
        if missing := [identifier for identifier in asked if identifier not in answered]:
            place = f"messages.{index}.content"
            yield f"Expected toolResult blocks at {place} for the following Ids: {', '.join(missing)}"
        if len(answered) > len(asked) or set(answered) - set(asked):
            yield (
                f"The number of toolResult blocks at messages.{index}.content exceeds the number of toolUse "
                "blocks of previous turn."
            )
        asked = _ids(message, "toolUse")
        if len(set(asked)) < len(asked):
            yield f"messages.{index}.content contains duplicate Ids: {', '.join(asked)}"


def _misplaced(index: int, message: Message) -> Iterator[str]:
    for position, block in enumerate(message["content"]):
        place = f"messages.{index}.content.{position}"
        for kind, role in _TOOL_BLOCKS.items():
            if kind in block and message["role"] != role:
                yield f"{place}: `{kind}` blocks can only be in `{role}` messages"
        if not isinstance((block.get("toolUse") or {}).get("input", {}), dict):
            yield (
                f"The format of the value at {place}.toolUse.input is invalid. "
                "Provide a json object for the field and try again."
            )


def _ids(message: Message, kind: str) -> list[str]:
    return [(block[kind] or {}).get("toolUseId", "") for block in message["content"] if kind in block]


def _blocks(messages: Sequence[Message]) -> Iterator[tuple[str, Block]]:
    for index, message in enumerate(messages):
        for position, block in enumerate(message["content"]):
            yield f"messages.{index}.content.{position}", block
