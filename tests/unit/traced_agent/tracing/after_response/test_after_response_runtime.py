"""With AWS's runtime client, the export starts when the response was sent."""

import sys
import types

import pytest


class RuntimeClient:
    """As awslambdaric's: its loop asks for the next request once it has posted the last answer."""

    def __init__(self, *ids):
        self.ids = list(ids)

    def wait_next_invocation(self):
        return types.SimpleNamespace(invoke_id=self.ids.pop(0))


@pytest.fixture
def runtime(monkeypatch):
    """AWS's runtime client, as far as its name and its class are concerned."""
    client = types.ModuleType("awslambdaric.lambda_runtime_client")
    client.LambdaRuntimeClient = type("LambdaRuntimeClient", (RuntimeClient,), {})
    monkeypatch.setitem(sys.modules, client.__name__, client)
    return client.LambdaRuntimeClient("r1", "r2", "r3")


def test_with_awss_runtime_client_the_response_is_sent_when_the_next_request_is_awaited(
    runtime, started, aws, export
):
    runtime.wait_next_invocation()
    aws.invoke("r1")
    started.finish("r1", 10)
    assert export.none, "the handler has returned, but its answer is not posted yet"
    assert runtime.wait_next_invocation().invoke_id == "r2"
    export.wait()
    aws.wait_for_ask()


def test_a_runtime_client_without_the_signal_does_not_block_the_environment(runtime, started, aws, export):
    aws.invoke("r1", seconds=60)
    started.finish("r1", 60)
    assert export.none
    export.wait()
    aws.wait_for_ask()


def test_with_awss_runtime_client_a_request_that_skips_our_handler_is_handled_too(
    runtime, started, aws, export
):
    runtime.wait_next_invocation()
    aws.invoke("r1")
    runtime.wait_next_invocation()
    export.wait()
