"""The tools of the soak test and model streams with faults."""

from dataclasses import dataclass

from tests.example_agent.src.agent import TOOLS
from tools.bench.peers.soak.agent import approval, half_emoji, stopping, without_status
from traced_agent.testing import ScriptedModel

FAULTY_TOOLS = [*TOOLS, stopping, approval, half_emoji, without_status]


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
