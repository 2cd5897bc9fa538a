"""The function on the built layers, in AWS's own runtime client, against a stand-in for Bedrock."""

import contextlib
import json
import time

import pytest

from tools.local.runtime.environment_pool import EnvironmentPool
from tools.local.runtime.function import Function


class Deployed:
    """The function as it runs: what it answers, and what it logs."""

    def __init__(self, environments, log):
        self.environments = environments
        self._log = log

    def invoke(self, event):
        """The status, the body, and the headers of one answer; an error of the platform fails the test."""
        invocation = self.environments.invoke(json.dumps(event).encode())
        assert invocation.error is None, (invocation.error, self._log[-20:])
        response = json.loads(invocation.payload)
        return response["statusCode"], json.loads(response["body"]), response["headers"]

    def ask(self, query):
        return self.invoke({"query": query})

    def failure(self, event):
        """What the platform says of an invocation that it could not have answered."""
        return self.environments.invoke(json.dumps(event).encode()).error

    def lines(self):
        """What the function said so far, platform's lines apart."""
        told = []
        for line in list(self._log):
            with contextlib.suppress(ValueError):
                told.append(json.loads(line))
        return told

    def lines_of(self, run_id):
        """What the handler said of one run: the log comes through a pipe, so wait for the first of it."""
        until = time.monotonic() + 5
        while (
            not (told := [line for line in self.lines() if _ours(line, run_id)]) and time.monotonic() < until
        ):
            time.sleep(0.01)
        return told

    @property
    def starts(self):
        """How many environments there were until now."""
        return sum("Init Duration:" in line for line in self._log)

    @property
    def crashes(self):
        """How many of them died."""
        return sum("Status: error" in line or "Status: timeout" in line for line in self._log)


def _ours(line, run_id):
    return line.get("logger") == "traced_agent" and line.get("run_id") == run_id


@pytest.fixture(scope="session")
def deployed(opt, source):
    """Deploys the handler's source, or a copy of it, for the length of a `with`."""

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
