"""The same guarantees for a third-party collector: AgentMesh, from PyPI."""

import json
import os
import subprocess
import time
import urllib.request

import pytest

from tools.environments import python_of
from tools.local.fakes.langfuse_server import FakeLangfuse

TOKEN = "collector-key"


@pytest.fixture(scope="session")
def agentmesh():
    """Its command, in the hatch environment `collector`, which is made the first time."""
    return python_of("collector").with_name("agentmesh")


class Collector:
    """The collector, started and stopped with its own command; it keeps what it took."""

    def __init__(self, command, folder, port):
        self.url = f"http://127.0.0.1:{port}"
        self._command = [command, "--db", folder / "spans.db", "dashboard", "--host", "127.0.0.1"]
        self._command += ["--port", str(port)]
        self._folder = folder
        self._process = None

    def start(self, **settings):
        environ = {**os.environ, "AGENTMESH_AUTH_MODE": "api_key", "AGENTMESH_API_KEY": TOKEN, **settings}
        with (self._folder / "log").open("a") as log:
            self._process = subprocess.Popen(
                self._command, cwd=self._folder, env=environ, stdout=log, stderr=subprocess.STDOUT
            )
        deadline = time.monotonic() + 60
        while True:
            try:
                return self._get("/healthz")
            except OSError:
                assert time.monotonic() < deadline, self.log
                time.sleep(0.1)

    def stop(self):
        if self._process:
            self._process.terminate()
            self._process.wait()

    def spans(self, trace_id):
        """The spans of a trace, as its own API returns them."""
        return self._get(f"/api/traces/{trace_id}/spans")

    @property
    def log(self):
        return (self._folder / "log").read_text()

    def _get(self, path):
        asked = urllib.request.Request(self.url + path, headers={"Authorization": f"Bearer {TOKEN}"})
        with urllib.request.urlopen(asked, timeout=60) as answer:
            return json.load(answer)


@pytest.fixture
def collector(agentmesh, tmp_path, unused_port):
    collector = Collector(agentmesh, tmp_path, unused_port)
    yield collector
    collector.stop()


@pytest.fixture
def traced(running, collector):
    """The function with the collector's endpoint, although Langfuse's keys are set too."""
    with (
        FakeLangfuse() as langfuse,
        running(
            langfuse,
            OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"{collector.url}/v1/traces",
            OTEL_EXPORTER_OTLP_TRACES_HEADERS=f"x-agentmesh-api-key={TOKEN}",
        ) as function,
    ):
        yield function
        assert langfuse.attempts == 0, "spans went to Langfuse as well"


def names(spans):
    return sorted(span["name"] for span in spans)


WHOLE = ["chat", "chat", "execute_event_loop_cycle", "execute_event_loop_cycle", "execute_tool calculator"]
WHOLE += ["invoke_agent Strands Agents", "query"]


def test_the_trace_is_complete_before_the_environment_freezes_at_a_collector(traced, collector):
    collector.start()
    body, _ = traced.ask()
    traced.drain()
    assert names(collector.spans(body["trace_id"])) == WHOLE
    assert traced.metrics("TracesExported") == 1


def test_a_collector_that_is_down_delays_no_answer_and_gets_every_trace_later(traced, collector):
    bodies = []
    for _ in range(2):
        body, waited_s = traced.ask()
        assert waited_s < 5
        traced.drain()
        bodies.append(body)
    collector.start()
    bodies.append(traced.ask()[0])
    traced.drain()
    for body in bodies:
        assert names(collector.spans(body["trace_id"])) == WHOLE
    assert traced.metrics("TracesLost") == 0


def test_a_413_of_the_collector_splits_the_batch(traced, collector):
    collector.start(AGENTMESH_MAX_OTLP_BYTES="5000")
    body, _ = traced.ask()
    traced.drain()
    assert "413" in collector.log
    assert names(collector.spans(body["trace_id"])) == WHOLE


def test_spans_are_kept_while_the_collector_rejects_the_key(traced, collector):
    collector.start(AGENTMESH_API_KEY="another")
    body, _ = traced.ask()
    traced.drain()
    collector.stop()
    collector.start()
    traced.ask()
    traced.drain()
    assert names(collector.spans(body["trace_id"])) == WHOLE
