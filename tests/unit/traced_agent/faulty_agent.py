"""Tools and model streams with faults."""

from dataclasses import dataclass
from typing import Any

from strands import tool

from tests.example_agent.src.agent import TOOLS
from traced_agent.testing import ScriptedModel


@tool(context=True)
def stopping(tool_context: Any) -> str:
    """Stop the agent after this tool."""
    tool_context.invocation_state["request_state"]["stop_event_loop"] = True
    return "stopped"


@tool(context=True)
def approval(tool_context: Any) -> str:
    """Ask a person."""
    return f"answered: {tool_context.interrupt('approval', reason='delete 3 files')}"


@tool
def half() -> str:
    """Return half a surrogate pair."""
    return "half \ud83d"


@tool
def without_status() -> dict:
    """Return a result without a status."""
    return {"content": [{"text": "done"}]}


FAULTY_TOOLS = [*TOOLS, stopping, approval, half, without_status]


@dataclass(frozen=True)
class Chunks:
    """Events of a model's stream, as they are."""

    events: tuple


def delta(text):
    return {"contentBlockDelta": {"delta": {"text": text}}}


START, END_BLOCK = {"messageStart": {"role": "assistant"}}, {"contentBlockStop": {}}


def stop(reason):
    return {"messageStop": {"stopReason": reason}}


class RawModel(ScriptedModel):
    """A scripted model whose turns may also be raw events."""

    async def stream(self, messages, *args, **kwargs):
        if isinstance(self.script[0], Chunks):
            self.requests.append([dict(message) for message in messages])
            turn = self.script.pop(0) if len(self.script) > 1 else self.script[0]
            for event in turn.events:
                yield event
            return
        async for event in super().stream(messages, *args, **kwargs):
            yield event


TRUNCATED = Chunks((START, delta("Half an ans"), END_BLOCK))


NO_TOOL = Chunks((START, delta("Let me see."), END_BLOCK, stop("tool_use")))


NO_STOP_REASON = Chunks((START, delta("x"), END_BLOCK, {"messageStop": {}}))


EMPTY = Chunks((START, stop("end_turn")))


EMOJI = Chunks((START, delta("ok \ud83d"), delta("\ude00!"), END_BLOCK, stop("end_turn")))
