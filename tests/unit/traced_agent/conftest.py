import functools
import json
import logging
from dataclasses import dataclass, field

import pytest

from tests.example_agent.src.agent import TOOLS, build_agent
from traced_agent.handler import Handler
from traced_agent.settings import Settings
from traced_agent.testing import ScriptedModel
from traced_agent.tracing.tracer import RunTracer


@pytest.fixture(autouse=True)
def _log_levels():
    """Each test starts with the log levels of a new process: pip, for example, changes the root logger's."""
    root = logging.getLogger()
    names = ("traced_agent", *_children("traced_agent"), "strands", *_children("strands"))
    loggers = [root, *map(logging.getLogger, names)]
    levels = [logger.level for logger in loggers]
    logging.disable(logging.NOTSET)
    for logger in loggers:
        _set_level(logger, logging.WARNING if logger is root else logging.NOTSET)
    yield
    for logger, level in zip(loggers, levels, strict=True):
        _set_level(logger, level)


def _set_level(logger, level):
    """Set the level if it differs: each `setLevel` clears the caches of all loggers of the process."""
    if logger.level != level:
        logger.setLevel(level)


@pytest.fixture
def own_records(caplog):
    """Gives the log records of the runtime, without those of libraries that other tests have left running."""
    return lambda: [record for record in caplog.records if record.name.startswith("traced_agent")]


def _children(name):
    return [known for known in list(logging.root.manager.loggerDict) if known.startswith(f"{name}.")]


@dataclass
class Finished:
    """A fake of the work after the response: it records its calls."""

    requests: list = field(default_factory=list)

    def finish(self, request_id, remaining_s):
        self.requests.append((request_id, remaining_s))


@dataclass(frozen=True)
class Context:
    """The context of an invocation."""

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
    """A handler with a scripted model, called as Lambda calls it."""

    handler: Handler
    model: ScriptedModel
    finished: Finished

    def __call__(self, event, context=None):
        response = self.handler(event, context or Context())
        return response["statusCode"], json.loads(response["body"] or "null"), response["headers"]

    def post(self, body, context=None, **event):
        return self(url_event(body, **event), context)


@pytest.fixture
def calling():
    """Makes a handler whose model returns these turns in order and repeats the last one."""

    def make(*script, settings=None, tracing=None, tools=TOOLS):
        model, finished = ScriptedModel(*(script or ("Four.",))), Finished()
        handler = Handler(
            settings or Settings(),
            functools.partial(build_agent, model, tools=tools),
            tracing or RunTracer(),
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
