"""Arize Phoenix, from PyPI, shows the traces that docs/recipes/other-backends.md sends it."""

import json
import os
import re
import subprocess
import time
from pathlib import Path

import httpx
import pytest

from tools.environments import python_of
from tools.local.http.server import free_port

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "recipes" / "other-backends.md").read_text("utf-8")
START_S = 240
SERVE = """
import gc, sys
gc.disable()  # a fifth of the time to start, most of which is imports
from phoenix.server.main import main
sys.argv = ["phoenix", "serve"]
main()
"""
SPANS = """
query ($name: String!) {
  projects(filter: {col: name, value: $name}) { edges { node { spans(first: 50) { edges { node {
    name statusCode spanKind parentId trace { traceId } input { value } output { value }
  } } } } } }
}
"""


class Phoenix:
    """The server on loopback, with its files in a folder."""

    def __init__(self, folder):
        self._folder = folder
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"

    def __enter__(self):
        settings = {
            "PHOENIX_WORKING_DIR": str(self._folder),
            "PHOENIX_HOST": "127.0.0.1",
            "PHOENIX_PORT": str(self._port),
            "PHOENIX_GRPC_PORT": str(free_port()),
            "PHOENIX_SQL_DATABASE_URL": "sqlite:///:memory:",
            "PHOENIX_TELEMETRY_ENABLED": "false",
        }
        with (self._folder / "log").open("w") as log:
            self._process = subprocess.Popen(
                [python_of("phoenix"), "-c", SERVE],
                cwd=self._folder,
                env={**os.environ, **settings},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            self._wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait()

    def _wait(self):
        until = time.monotonic() + START_S
        while self._process.poll() is None and time.monotonic() < until:
            try:
                httpx.get(f"{self.url}/healthz", trust_env=False).raise_for_status()
            except httpx.HTTPError:
                time.sleep(0.2)
            else:
                return
        raise AssertionError((self._folder / "log").read_text()[-2000:])


def recipe(heading):
    """The context of the deploy command under a heading of the page: each key and its value."""
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return dict(re.findall(r"-c (\w+)=(\S+)", section))


@pytest.fixture
def phoenix(tmp_path):
    with Phoenix(tmp_path) as phoenix:
        yield phoenix


def test_phoenix_shows_inputs_outputs_kinds_and_status(running, langfuse, phoenix):
    context = recipe("Arize Phoenix")
    endpoint = httpx.URL(context["otlp_endpoint"]).path
    name = context["resource_attributes"].removeprefix("openinference.project.name=")
    with running(
        langfuse,
        timeout_s=60,
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=phoenix.url + endpoint,
        OTEL_RESOURCE_ATTRIBUTES=context["resource_attributes"],
    ) as function:
        body, _ = function.ask("What is 6 * 7?")
        function.drain()
    spans = _spans(phoenix, name, body["trace_id"])
    [root] = [span for span in spans if not span["parentId"]]
    assert (root["name"], root["spanKind"], root["statusCode"]) == ("query", "chain", "OK")
    assert json.loads(root["input"]["value"]) == {"query": "What is 6 * 7?"}
    assert json.loads(root["output"]["value"]) == {"response": "The answer is 42."}
    [tool] = [span for span in spans if span["spanKind"] == "tool"]
    assert (tool["name"], tool["statusCode"]) == ("execute_tool calculator", "OK")
    assert json.loads(tool["input"]["value"]) == {"expression": "6 * 7"}
    assert json.loads(tool["output"]["value"]) == [{"text": "42"}]
    assert sorted(span["spanKind"] for span in spans) == [
        "agent",
        "chain",
        "chain",
        "chain",
        "llm",
        "llm",
        "tool",
    ]
    incomplete = {span["name"] for span in spans if not (span["input"] and span["output"])}
    assert incomplete <= {"execute_event_loop_cycle"}  # Strands records no output of the last one
    assert {span["statusCode"] for span in spans} == {"OK"}


def _spans(phoenix, project, trace_id):
    """The spans of a trace; Phoenix stores them a moment after it has answered."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        asked = {"query": SPANS, "variables": {"name": project}}
        found = httpx.post(f"{phoenix.url}/graphql", json=asked, timeout=60, trust_env=False).json()
        spans = [
            edge["node"]
            for one in found["data"]["projects"]["edges"]
            for edge in one["node"]["spans"]["edges"]
            if edge["node"]["trace"]["traceId"] == trace_id
        ]
        if len(spans) == 7:
            return spans
        time.sleep(0.2)
    raise AssertionError(spans)
