"""The function's process: what it loads, costs, holds and says."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tools.local.fakes.langfuse_server import FakeLangfuse

OUT = {
    "jwt", "mcp", "grpc",
    "uvicorn", "starlette", "cryptography", "httpx", "httpx2", "requests", "langfuse", "PIL",
    "numpy", "openai", "anthropic", "opentelemetry.exporter", "opentelemetry.proto", "google.protobuf",
    "yaml", "jsonschema", "opentelemetry.sdk.metrics", "strands.bidi", "strands.vended_tools",
    "traced_agent.auth.bearer", "traced_agent.auth.issuer_keys", "traced_agent.http.feedback",
    "traced_agent.tracing.backends", "traced_agent.tracing.langfuse_backend",
    "traced_agent.tracing.span_export", "traced_agent.tracing.export_queue",
    "traced_agent.tracing.otlp_client", "traced_agent.http.openapi", "traced_agent.http.page",
}  # fmt: skip
"""What must not be loaded before the first answer has left: each would be paid for with every cold start."""

REQUESTS = 600


@pytest.fixture(scope="module")
def warm(opt, source, target_python, bedrock):
    """What many requests in one process cost, every one of them traced."""
    with FakeLangfuse() as langfuse:
        environment = {
            "PATH": os.environ["PATH"],
            "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "x",
            "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": bedrock.url,
            "LANGFUSE_PUBLIC_KEY": langfuse.public_key,
            "LANGFUSE_SECRET_KEY": langfuse.secret_key,
            "LANGFUSE_HOST": langfuse.url,
        }
        script = Path(__file__).with_name("warm.py")
        argv = [target_python, "-IB", script, opt / "python", source, str(REQUESTS)]
        run = subprocess.run(argv, env=environment, capture_output=True, text=True, check=True)
        return {**json.loads(run.stdout.splitlines()[-1]), "traces": len(langfuse.traces())}


def test_the_first_answer_loads_nothing_it_does_not_need(warm):
    loaded = set(warm["loaded"])
    assert {"strands", "boto3", "opentelemetry.trace"} <= loaded
    assert not {name for name in loaded if any(name == out or name.startswith(f"{out}.") for out in OUT)}


def test_each_of_many_requests_in_one_process_is_traced(warm):
    """What a request costs is a row of `hatch run bench warm`, which compares within one run."""
    assert warm["traces"] >= REQUESTS


def test_memory_is_flat(warm):
    """It may grow for the first 100 requests; then 500 requests may hold 500 kB more, or 1 kB each."""
    assert max(warm["held_kb"][2:]) - warm["held_kb"][1] < 500


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MAX_TOKENS", "many"),
        ("LANGFUSE_HOST", "langfuse.com"),
        ("LOG_LEVEL", "LOUD"),
        ("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "http://host name/"),
    ],
)
def test_a_wrong_setting_fails_the_init_in_one_line_that_names_it(deployed, variable, value):
    with deployed(**{variable: value}) as function:
        error = function.failure({"query": "Hello"})
    assert error["errorType"] == "SettingsError"
    assert error["errorMessage"].startswith(f"{variable} must be ")
    assert "\n" not in error["errorMessage"]


def test_health_is_reported_without_a_call_of_the_model(deployed):
    with deployed() as function:
        event = {"rawPath": "/health", "requestContext": {"http": {"method": "GET", "path": "/health"}}}
        status, body, _ = function.invoke(event)
        assert (status, body["status"], body["python"].rpartition(".")[0]) == (200, "Healthy", "3.13")


def test_the_log_has_the_ids_and_nothing_of_the_conversation(deployed, bedrock):
    with deployed(bedrock) as function:
        _, body, _ = function.ask("Abracadabra, what is 2+2?")
        assert function.lines_of(body["run_id"])
        lines = function.lines()
    assert not any(word in json.dumps(lines) for word in ("Abracadabra", "The answer is"))


def test_at_debug_no_credential_is_logged(deployed, bedrock):
    secrets = {"AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI", "AWS_SESSION_TOKEN": "IQoJb3JpZ2lu"}
    with deployed(bedrock, LOG_LEVEL="DEBUG", LANGFUSE_SECRET_KEY="sk-lf-1234", **secrets) as function:
        status, body, _ = function.ask("Hello")
        assert status == 200
        assert function.lines_of(body["run_id"])
        lines = json.dumps(function.lines())
    assert "DEBUG" in lines
    assert not any(secret in lines for secret in (*secrets.values(), "sk-lf-1234", "AWS4-HMAC-SHA256"))
