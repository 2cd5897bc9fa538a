"""A model that says what it was told to."""

import json

from strands.models import Model


class ScriptedModel(Model):
    """Strands' Model, which says what it was told to: a text, a tool use, or an exception, one a call."""

    def __init__(self, *script):
        self.script = list(script)
        self.asked = []

    def get_config(self):
        return {"model_id": "scripted"}

    def update_config(self, **config):
        raise NotImplementedError

    async def structured_output(self, *args, **kwargs):
        raise NotImplementedError
        yield

    async def stream(self, messages, tool_specs=None, system_prompt=None, **kwargs):
        self.asked.append([dict(message) for message in messages])
        turn = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if callable(turn):
            turn = turn()
        if isinstance(turn, BaseException):
            raise turn
        for event in events_of(turn):
            yield event


def events_of(turn):
    text, tool, stop = turn if isinstance(turn, tuple) else (turn, None, None)
    yield {"messageStart": {"role": "assistant"}}
    if text is not None:
        yield {"contentBlockDelta": {"delta": {"text": text}}}
        yield {"contentBlockStop": {}}
    if tool:
        name, arguments = tool
        yield {"contentBlockStart": {"start": {"toolUse": {"toolUseId": "t1", "name": name}}}}
        written = arguments if isinstance(arguments, str) else json.dumps(arguments)
        yield {"contentBlockDelta": {"delta": {"toolUse": {"input": written}}}}
        yield {"contentBlockStop": {}}
    yield {"messageStop": {"stopReason": stop or ("tool_use" if tool else "end_turn")}}
    usage = {"inputTokens": 11, "outputTokens": 7, "totalTokens": 18}
    yield {"metadata": {"usage": usage, "metrics": {"latencyMs": 1}}}
