"""Makes a conversation one that Bedrock accepts.

Bedrock's Converse rejects a conversation that does not begin with the user, whose roles do not alternate,
that has blank text, or in which a toolUse has no toolResult in the next message. A session that was stored in
such a state could never be used again.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

Block = dict[str, Any]
Message = dict[str, Any]

CLOSING_TEXT = "(The run stopped here.)"
"""The model's part of a turn that ended on a tool's result or without an answer."""

_TOOL_BLOCKS = {"toolUse": "assistant", "toolResult": "user"}
"""The role that may send each of them."""


def repair(messages: Iterable[Any], *, interrupted: bool = False) -> list[Message]:
    """Keep what Bedrock accepts of a conversation, and end it with the model's message.

    Args:
        messages: the messages in order; anything that is not a message is dropped.
        interrupted: an interrupt waits for its response, so the last message may use tools without results.
    """
    kept = _merge(filter(None, map(_clean, messages)))
    pending = kept.pop() if interrupted and kept and _ids(kept[-1], "toolUse") else None
    kept = _merge(_pair_tools(_from_first_user(kept)))
    kept = _from_first_user(kept)
    if pending:
        return [*kept, pending] if kept and kept[-1]["role"] == "user" else []
    if kept and kept[-1]["role"] == "user" and not interrupted:
        kept.append({"role": "assistant", "content": [{"text": CLOSING_TEXT}]})
    return kept


def _clean(message: Any) -> Message | None:
    """The message without blocks that no conversation may have; None if nothing remains."""
    if not isinstance(message, dict) or message.get("role") not in ("user", "assistant"):
        return None
    content = message.get("content")
    blocks = (
        [block for block in content if _valid(block, message["role"])] if isinstance(content, list) else []
    )
    return {**message, "content": blocks} if blocks else None


def _valid(block: Any, role: str) -> bool:
    if not isinstance(block, dict) or not block:
        return False
    if "text" in block:
        return isinstance(block["text"], str) and bool(block["text"].strip())
    for kind, sender in _TOOL_BLOCKS.items():
        if kind in block:
            tool = block[kind]
            return role == sender and isinstance(tool, dict) and bool(tool.get("toolUseId"))
    return True


def _from_first_user(messages: Sequence[Message]) -> list[Message]:
    """Drop what comes before the first question; a toolResult there answers no toolUse."""
    for index, message in enumerate(messages):
        if message["role"] == "user" and (question := _without(message, lambda block: "toolResult" in block)):
            return [question, *messages[index + 1 :]]
    return []


def _merge(messages: Iterable[Message]) -> list[Message]:
    """Join messages of the same role that follow each other."""
    merged: list[Message] = []
    for message in messages:
        if merged and merged[-1]["role"] == message["role"]:
            merged[-1] = {**merged[-1], "content": [*merged[-1]["content"], *message["content"]]}
        else:
            merged.append(message)
    return merged


def _pair_tools(messages: Sequence[Message]) -> list[Message]:
    """Keep each toolUse that the next message answers, and each toolResult that answers one."""
    kept: list[Message] = []
    pending: set[str] = set()
    for index, message in enumerate(messages):
        answers = _ids(messages[index + 1], "toolResult") if index + 1 < len(messages) else set()
        paired = {"toolResult": pending, "toolUse": _ids(message, "toolUse") & answers}
        if remaining := _without(message, _Unpaired(paired)):
            kept.append(remaining)
        pending = paired["toolUse"]
    return kept


class _Unpaired:
    """Whether a tool block has no partner, or repeats one."""

    def __init__(self, paired: dict[str, set[str]]) -> None:
        self._left = {kind: set(ids) for kind, ids in paired.items()}

    def __call__(self, block: Block) -> bool:
        for kind, ids in self._left.items():
            if kind in block:
                if block[kind]["toolUseId"] not in ids:
                    return True
                ids.discard(block[kind]["toolUseId"])
        return False


def _without(message: Message, drop: Callable[[Block], bool]) -> Message | None:
    content = [block for block in message["content"] if not drop(block)]
    if len(content) == len(message["content"]):
        return message
    return {**message, "content": content} if content else None


def _ids(message: Message, kind: str) -> set[str]:
    return {block[kind]["toolUseId"] for block in message["content"] if kind in block}
