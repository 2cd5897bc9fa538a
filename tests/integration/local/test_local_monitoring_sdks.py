"""Monitoring SDKs that wrap `lambda_handler.handler` work: responses, streaming and traces too."""

import gzip
import json
import shutil
from dataclasses import dataclass

import httpx
import pytest

from tools.environments import python_of
from tools.local.fakes.langfuse_server import FakeLangfuse
from tools.local.function_url.server import FunctionUrlServer
from tools.local.http.server import HttpServer
from tools.local.runtime.environment_pool import EnvironmentPool
from tools.local.runtime.function import Function

MODULES = (
    "aws_lambda_powertools",
    "opentelemetry/instrumentation/aws_lambda",
    "opentelemetry/propagators/aws",
    "sentry_sdk",
)
"""The SDKs' own modules; what they need besides is in the layers."""

WRAPPERS = {
    "nothing": "from lambda_handler import handler",
    "sentry": """
import os

import sentry_sdk
from sentry_sdk.integrations.aws_lambda import AwsLambdaIntegration

sentry_sdk.init(dsn=os.environ["SENTRY_DSN"], integrations=[AwsLambdaIntegration()], traces_sample_rate=1.0)

import lambda_handler

def handler(event, context):
    if "crash" in event:
        raise ValueError("for Sentry")
    return lambda_handler.handler(event, context)
""",
    "opentelemetry": """
import os

from opentelemetry.instrumentation.aws_lambda import AwsLambdaInstrumentor

os.environ["ORIG_HANDLER"] = "lambda_handler.handler"  # as AWS's layer for OpenTelemetry does
AwsLambdaInstrumentor().instrument()

import lambda_handler

def handler(event, context):
    return lambda_handler.handler(event, context)
""",
    "powertools": """
from aws_lambda_powertools import Logger, Metrics

import lambda_handler

logger = Logger(service="agent")
metrics = Metrics(namespace="Agent", service="agent")

@metrics.log_metrics(capture_cold_start_metric=True)
@logger.inject_lambda_context
def handler(event, context):
    logger.info("wrapped")
    return lambda_handler.handler(event, context)
""",
}


@pytest.fixture(scope="session")
def sdks():
    """The site-packages of the hatch environment `monitoring`, which is created the first time."""
    (packages,) = python_of("monitoring").parents[1].glob("lib/python*/site-packages")
    return packages


@pytest.fixture(scope="module")
def sentry():
    """A server that records what Sentry's SDK sends."""
    received = []

    def respond(exchange):
        body = exchange.body()
        received.append(gzip.decompress(body) if exchange.headers.get("content-encoding") == "gzip" else body)
        exchange.answer(200, b"{}")

    with HttpServer(respond) as server:
        server.received = received
        yield server


@pytest.fixture(scope="module")
def langfuse():
    with FakeLangfuse() as langfuse:
        yield langfuse


@pytest.fixture(params=WRAPPERS)
def wrapped(request, tmp_path, sdks, source, opt, bedrock, langfuse, sentry):  # noqa: PLR0917
    """The wrapped function behind its URL, streaming."""
    code = tmp_path / "code"
    shutil.copytree(source, code)
    for module in MODULES:
        shutil.copytree(sdks / module, code / module)
    (code / "wrapped.py").write_text(WRAPPERS[request.param])
    log = []
    function = Function(
        code=code,
        opt=opt,
        handler="wrapped.handler",
        streaming=True,
        timeout_s=30,
        environment={
            "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": bedrock.url,
            "STREAMING": "true",
            "LANGFUSE_HOST": langfuse.url,
            "LANGFUSE_PUBLIC_KEY": langfuse.public_key,
            "LANGFUSE_SECRET_KEY": langfuse.secret_key,
            "SENTRY_DSN": sentry.url.replace("http://", "http://key@") + "/1",
        },
    )
    with EnvironmentPool(function, log=log.append) as pool, FunctionUrlServer(pool) as url_server:
        yield Wrapped(pool, url_server.url, log)


@dataclass
class Wrapped:
    """A function whose handler an SDK wraps."""

    pool: EnvironmentPool
    url: str
    log: list

    def post(self, **headers):
        response = httpx.post(self.url, json={"query": "What is 6 * 7?"}, headers=headers, timeout=60)
        self.pool.drain()
        return response


def test_responses_streams_and_traces_work_under_a_monitoring_sdk(wrapped, langfuse):
    answer = wrapped.post().json()
    assert "42" in answer["response"]
    events = wrapped.post(accept="text/event-stream").text
    streamed = json.loads(events.partition("event: result\ndata: ")[2])
    assert "42" in streamed["response"]
    assert events.count("event: text\n") > 1
    wrapped.post()  # a trace that the export had no time for is sent after a later run
    for run in (answer, streamed):
        trace = langfuse.wait_for(run["trace_id"])
        assert trace.root.name == "query"
        assert trace.named("chat")


@pytest.mark.parametrize("wrapped", ["sentry"], indirect=True)
def test_sentry_sees_an_exception_of_the_handler(wrapped, sentry):
    assert wrapped.pool.invoke(b'{"crash": true}').error["errorType"] == "ValueError"
    assert any(b"for Sentry" in envelope and b"aws_lambda" in envelope for envelope in sentry.received)


@pytest.mark.parametrize("wrapped", ["powertools"], indirect=True)
def test_powertools_logs_and_measures(wrapped):
    wrapped.post()
    assert any('"ColdStart"' in line for line in wrapped.log)
    assert any('"wrapped"' in line and "function_request_id" in line for line in wrapped.log)
