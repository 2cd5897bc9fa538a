"""What the fake model answers: the same answer to the same conversation, with the agent's own tools.

A question that fits a tool calls it (`tool_choice`), and several questions call several tools at once; the
answer then is what the tools returned. Every other question gets one fixed sentence.
Directives in the prompt: `[[tool NAME {"input": …}]]` calls that tool so, `[[loop]]` calls a tool every time,
`[[say N]]` answers N words, `[[guardrail]]` is blocked by the guardrail if the request names one,
`[[max_tokens]]` stops as a model does that ran out of them.
"""

import hashlib
import json
import re
from dataclasses import dataclass, replace
from typing import Any

from tools.local.fakes import schema_filler, tool_choice

_TOOL = re.compile(r"\[\[tool (\S+)(?: (\{.*\}))?\]\]", re.DOTALL)
_QUESTION_LENGTH = 500
"""Characters of a query that are searched for a question to a tool: the patterns are slow on long texts."""

_SAY = re.compile(r"\[\[say (\d+)\]\]")

_MIN_CACHED_TOKENS = 1024
"""As for most Claude models on Bedrock."""

GUARDRAIL_TEXT = "The guardrail blocked this request."

Request = dict[str, Any]
"""A Converse request's body."""


@dataclass(frozen=True)
class ToolUse:
    """The call of a tool."""

    id: str
    name: str
    input: dict[str, Any] | str
    """A text is sent as it is: arguments that are not JSON."""

    @property
    def arguments(self) -> str:
        """The input as a stream sends it."""
        return self.input if isinstance(self.input, str) else json.dumps(self.input)


@dataclass(frozen=True)
class Reply:
    """One turn of the model."""

    text: str
    tools: tuple[ToolUse, ...] = ()
    stop_reason: str = "end_turn"
    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0

    @property
    def output_tokens(self) -> int:
        """About four characters a token, as models count."""
        return _tokens(self.text) + sum(_tokens(tool.arguments) for tool in self.tools)

    @property
    def usage(self) -> dict[str, int]:
        """By Converse's names."""
        cached = {
            "cacheReadInputTokens": self.cache_read_tokens,
            "cacheWriteInputTokens": self.cache_write_tokens,
        }
        total = self.input_tokens + self.output_tokens + sum(cached.values())
        usage = {"inputTokens": self.input_tokens, "outputTokens": self.output_tokens, "totalTokens": total}
        return {**usage, **{name: tokens for name, tokens in cached.items() if tokens}}


def reply(request: Request) -> Reply:
    """The model's next turn in this conversation."""
    messages = request.get("messages", [])
    tokens = _tokens(json.dumps([request.get("system", []), messages]))
    query = question(request)
    results = tool_results(request)
    if results and "[[loop]]" not in query:
        return Reply(_told(results), input_tokens=tokens)
    if "[[guardrail]]" in query and request.get("guardrailConfig"):
        return Reply(GUARDRAIL_TEXT, stop_reason="guardrail_intervened", input_tokens=tokens)
    if calls := _forced(request) or _calls(query, _tools(request)):
        names = " and ".join(name for name, _ in calls)
        uses = tuple(
            ToolUse(_identifier(f"{len(messages)}{query}{number or ''}"), *call)
            for number, call in enumerate(calls)
        )
        return Reply(f"Let me use {names}.", uses, "tool_use", tokens)
    if "[[max_tokens]]" in query:
        return Reply("It is a long story, and", stop_reason="max_tokens", input_tokens=tokens)
    return Reply(_said(query), input_tokens=tokens)


def cached_prefix(request: Request) -> str | None:
    """The beginning of the prompt that the request asks to cache: its tools and its system prompt.

    None if it asks for none, or if the beginning is shorter than Bedrock caches.
    """
    if not any("cachePoint" in block for block in request.get("system", [])):
        return None
    prefix = json.dumps([request.get("toolConfig"), request["system"]])
    return prefix if _tokens(prefix) >= _MIN_CACHED_TOKENS else None


def with_cache(reply: Reply, prefix: str, *, known: bool) -> Reply:
    """The reply whose prompt's beginning is in the cache (`known`), or is written to it."""
    tokens = min(_tokens(prefix), reply.input_tokens)
    return replace(
        reply,
        input_tokens=reply.input_tokens - tokens,
        cache_read_tokens=tokens if known else 0,
        cache_write_tokens=0 if known else tokens,
    )


def tool_results(request: Request) -> list[dict[str, Any]]:
    """The results of the tools that the model used last; empty if the last message is a question."""
    return [block["toolResult"] for block in request["messages"][-1]["content"] if "toolResult" in block]


def question(request: Request) -> str:
    """What the user said last."""
    for message in reversed(request.get("messages", [])):
        texts = [block["text"] for block in message["content"] if "text" in block]
        if message["role"] == "user" and texts:
            return "\n".join(texts)
    return ""


def _tools(request: Request) -> dict[str, dict[str, Any]]:
    specs = [
        tool["toolSpec"] for tool in (request.get("toolConfig") or {}).get("tools", []) if "toolSpec" in tool
    ]
    return {spec["name"]: spec["inputSchema"]["json"].get("properties", {}) for spec in specs}


def _identifier(seed: str) -> str:
    return f"tooluse_{hashlib.sha256(seed.encode()).hexdigest()[:22]}"


def _forced(request: Request) -> list[tuple[str, Any]]:
    """The call of the tool that the request requires, with the least input that its schema accepts."""
    config = request.get("toolConfig") or {}
    choice = config.get("toolChoice", {})
    specs = [tool["toolSpec"] for tool in config.get("tools", []) if "toolSpec" in tool]
    for spec in specs:
        if "any" in choice or choice.get("tool", {}).get("name") == spec["name"]:
            return [(spec["name"], schema_filler.fill(spec["inputSchema"]["json"]))]
    return []


def _calls(query: str, tools: dict[str, dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    if directive := _TOOL.search(query):
        return [(directive[1], json.loads(directive[2] or "{}"))]
    if tools and "[[loop]]" in query:
        name = tool_choice.named(tools, "calc") or next(iter(tools))
        return [(name, tool_choice.inputs(tools[name], ["1 + 1"]))]
    return tool_choice.choose_all(query[:_QUESTION_LENGTH], tools)


def _told(results: list[dict[str, Any]]) -> str:
    parts = [
        block.get("text") or json.dumps(block.get("json"))
        for result in results
        for block in result["content"]
    ]
    failed = any(result.get("status") == "error" for result in results)
    return ("The tool failed: " if failed else "The answer is ") + "; ".join(parts).rstrip(".") + "."


def _said(query: str) -> str:
    if long := _SAY.search(query):
        return " ".join(f"word{number}" for number in range(int(long[1])))
    return f"You asked: {query.strip()[:200]} (I am a fake model and say this whenever no tool fits.)"


def _tokens(text: str) -> int:
    return (len(text) + 3) // 4
