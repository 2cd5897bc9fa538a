"""The function on the built layers, with AWS's own runtime client and a fake Bedrock."""

import contextlib
import json
import time

import pytest

from tools.local.runtime.environment_pool import EnvironmentPool
from tools.local.runtime.function import Function


class Deployed:
    """The running function: its responses and its log."""

    def __init__(self, environments, log):
        self.environments = environments
        self._log = log

    def invoke(self, event):
        """The status, the body and the headers of one response; an error of Lambda fails the test."""
        invocation = self.environments.invoke(json.dumps(event).encode())
        assert invocation.error is None, (invocation.error, self._log[-20:])
        response = json.loads(invocation.payload)
        return response["statusCode"], json.loads(response["body"]), response["headers"]

    def ask(self, query):
        return self.invoke({"query": query})

    def failure(self, event):
        """Lambda's error for an invocation without a response."""
        return self.environments.invoke(json.dumps(event).encode()).error

    def lines(self):
        """The function's log so far, without Lambda's own lines."""
        found = []
        for line in list(self._log):
            with contextlib.suppress(ValueError):
                found.append(json.loads(line))
        return found

    def lines_of(self, run_id):
        """The handler's log lines of one run; the log comes through a pipe, so wait for the first line."""
        until = time.monotonic() + 60
        while (
            not (found := [line for line in self.lines() if _ours(line, run_id)]) and time.monotonic() < until
        ):
            time.sleep(0.01)
        return found

    @property
    def starts(self):
        """The number of environments so far."""
        return sum("Init Duration:" in line for line in self._log)

    @property
    def crashes(self):
        """The number of environments that crashed."""
        return sum("Status: error" in line or "Status: timeout" in line for line in self._log)


def _ours(line, run_id):
    return line.get("logger") == "traced_agent" and line.get("run_id") == run_id


@pytest.fixture(scope="session")
def deployed(opt, source):
    """Deploys the handler's source, or a copy of it, inside a `with`."""

    @contextlib.contextmanager
    def deploy(bedrock=None, *, code=source, timeout_s=30.0, memory_mb=1024, **environment):
        log = []
        endpoint = {"AWS_ENDPOINT_URL_BEDROCK_RUNTIME": bedrock.url} if bedrock else {}
        function = Function(
            code=code,
            opt=opt,
            environment={**endpoint, **environment},
            timeout_s=timeout_s,
            memory_mb=memory_mb,
        )
        with EnvironmentPool(function, log=log.append) as environments:
            yield Deployed(environments, log)

    return deploy
