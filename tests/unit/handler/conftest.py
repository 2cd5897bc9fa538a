import functools
import json
from dataclasses import dataclass, field

import pytest
from strands.models import Model

import lambda_handler
from traced_agent.agent import TOOLS, build_agent
from traced_agent.settings import Settings
from traced_agent.tracing import Tracing


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


@dataclass
class Finished:
    """Stands for what happens after the response: remembers that it was told."""

    requests: list = field(default_factory=list)

    def finish(self, request_id, remaining_s):
        self.requests.append((request_id, remaining_s))


@dataclass(frozen=True)
class Context:
    """What Lambda tells of an invocation."""

    remaining_s: float = 30.0
    aws_request_id: str = "req-1"

    def get_remaining_time_in_millis(self):
        return int(self.remaining_s * 1000)


def url_event(body=None, *, method="POST", path="/", headers=None, is_base64=False):
    return {
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": "",
        "headers": headers if headers is not None else {"content-type": "application/json"},
        "requestContext": {
            "http": {"method": method, "path": path, "sourceIp": "127.0.0.1"},
            "requestId": "r",
        },
        "body": body if body is None or isinstance(body, str) else json.dumps(body),
        "isBase64Encoded": is_base64,
    }


@dataclass
class Called:
    """A handler over a scripted model, called as Lambda would."""

    handler: lambda_handler.Handler
    model: ScriptedModel
    finished: Finished

    def __call__(self, event, context=None):
        response = self.handler(event, context or Context())
        return response["statusCode"], json.loads(response["body"] or "null"), response["headers"]

    def post(self, body, context=None, **event):
        return self(url_event(body, **event), context)


@pytest.fixture
def calling():
    """Makes a handler whose model goes through these turns, the last one again and again."""

    def make(*script, settings=None, tracing=None, tools=TOOLS):
        model, finished = ScriptedModel(*(script or ("Four.",))), Finished()
        handler = lambda_handler.Handler(
            settings or Settings(),
            functools.partial(build_agent, model, tools=tools),
            tracing or Tracing(),
            finished,
        )
        return Called(handler, model, finished)

    return make


@pytest.fixture
def event():
    return url_event


@pytest.fixture
def context():
    return Context
