"""The local client of AgentCore's starter toolkit calls `/invocations` and `/ping`."""

import json
import subprocess

import pytest

from tests.third_party import node
from tools.environments import python_of


@pytest.fixture
def call(tmp_path):
    def call(url, payload):
        command = [str(python_of("clients")), node.FOLDER / "call_agentcore.py", url.rstrip("/"), payload]
        ran = subprocess.run(command, check=False, cwd=tmp_path, capture_output=True, text=True, timeout=120)
        assert ran.returncode == 0, ran.stderr
        printed, _, last = ran.stdout.rstrip().rpartition("\n")
        return printed, json.loads(last)

    return call


def test_it_prints_a_streamed_answer(call, streaming):
    printed, returned = call(streaming.url, '{"prompt": "What is 6 * 7?"}')
    assert "The answer is 42." in printed.replace("\n", " ").replace("  ", " ")  # it wraps lines
    assert returned["ping"]["status"] == "Healthy"


def test_it_returns_an_answer_and_reports_an_invalid_payload(call, serve, bedrock):
    with serve(bedrock_url=bedrock.url, streaming=False) as served:
        _, returned = call(served.url, '{"prompt": "What is 6 * 7?", "actor_id": "a"}')
        answer = json.loads(returned["found"]["response"])
        assert answer["response"] == "The answer is 42."
        _, rejected = call(served.url, "not JSON")
    assert (rejected["found"]["status"], rejected["found"]["error"]["code"]) == (400, "invalid_request")
