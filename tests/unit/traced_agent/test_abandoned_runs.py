"""Runs that the deadline abandons: their threads end, and their log lines keep their own ids."""

import functools
import json
import logging
import threading
import time

import boto3
import pytest
from awslambdaric.lambda_runtime_log_utils import JsonFormatter
from botocore.config import Config
from strands.models import BedrockModel

from tests.example_agent.src.agent import build_agent
from tools.local.fakes.bedrock_server import FakeBedrock
from traced_agent import logs
from traced_agent.handler import Handler
from traced_agent.settings import Settings
from traced_agent.tracing.tracer import RunTracer
from traced_agent.worker_threads import MAX_IDLE

RUNS = 30


@pytest.fixture
def over_http(event, context):
    """Makes a handler that calls a fake Bedrock over HTTP; returns the status of a query."""
    with FakeBedrock() as bedrock:
        session = boto3.Session("any", "any", region_name="us-east-1")
        config = Config(read_timeout=2, retries={"total_max_attempts": 1})
        model = BedrockModel(boto_session=session, boto_client_config=config, endpoint_url=bedrock.url)

        class AfterResponse:
            def finish(self, request_id, remaining_s):
                pass

        handler = Handler(Settings(), functools.partial(build_agent, model), RunTracer(), AfterResponse())
        yield lambda query, seconds: handler(event({"query": query}), context(remaining_s=seconds))[
            "statusCode"
        ]


def run_threads():
    """The threads of runs, without those of the fake server."""
    return [thread for thread in threading.enumerate() if "process_request_thread" not in thread.name]


@pytest.mark.parametrize("fault", ["drip", "hang"])
def test_the_threads_of_abandoned_runs_end(over_http, fault):
    assert over_http("Hello", 30.0) == 200
    before = len(run_threads())
    statuses = {over_http(f"[[{fault}]] {number}", 0.2) for number in range(RUNS)}
    assert statuses == {504}
    until = time.monotonic() + 60
    while len(run_threads()) > before + MAX_IDLE and time.monotonic() < until:
        time.sleep(0.1)
    assert len(run_threads()) <= before + MAX_IDLE
    assert over_http("Hello again", 30.0) == 200


def test_a_log_line_of_an_abandoned_run_has_its_own_ids(calling, context, monkeypatch):
    lines, abandoned, logged = [], threading.Event(), threading.Event()

    class Lines(logging.Handler):
        def emit(self, record):
            lines.append(json.loads(JsonFormatter().format(record)))

    def slow():
        abandoned.wait(60)
        logging.getLogger("traced_agent").info("late")
        logged.set()
        return "Late."

    handler = Lines()
    logging.getLogger().addHandler(handler)
    try:
        logs.configure("INFO")
        called = calling(slow, "Four.")
        monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1-first;Sampled=1")
        status, first, _ = called.post({"query": "Hang"}, context(remaining_s=0.4))
        assert status == 504
        monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1-second;Sampled=1")
        second = called.post({"query": "Hi"})[1]
        abandoned.set()
        assert logged.wait(60)
    finally:
        logging.getLogger().removeHandler(handler)
    ids = {line["message"]: (line["run_id"], line["xray_trace_id"]) for line in lines if "run_id" in line}
    assert ids["late"] == (first["run_id"], "1-first")
    assert ids["answered"] == (second["run_id"], "1-second")
