"""A runtime client that AWS has changed costs a feature, and never a request."""

import json
import types

import pytest

from traced_agent import runtime_client
from traced_agent.tracing.after_response import PostedResponses, PostedSignal


def modules(**methods):
    client = type("LambdaRuntimeClient", (), methods)
    module = types.SimpleNamespace(LambdaRuntimeClient=client)
    return {"awslambdaric.lambda_runtime_client": module}, client


def request(**fields):
    return lambda self, *args, **kwargs: types.SimpleNamespace(args=args, kwargs=kwargs, **fields)


def metrics(capsys):
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize(
    "found", [{}, modules()[0], {"awslambdaric.lambda_runtime_client": types.SimpleNamespace()}]
)
def test_without_the_method_nothing_is_wrapped_and_a_metric_is_emitted(found, capsys):
    assert not PostedSignal(PostedResponses(), found).works
    assert [line["RuntimeClientChanged"] for line in metrics(capsys)] == [1]


def test_added_parameters_are_passed_on():
    found, client = modules(wait_next_invocation=request(invoke_id="r1"))
    assert PostedSignal(PostedResponses(), found).works
    received = client().wait_next_invocation(7, timeout=3)
    assert (received.args, received.kwargs) == ((7,), {"timeout": 3})


def test_a_request_without_its_id_is_served_and_reported_once(capsys):
    found, client = modules(wait_next_invocation=request(request_id="renamed"))
    signal = PostedSignal(PostedResponses(), found)
    assert client().wait_next_invocation().request_id == "renamed"
    assert client().wait_next_invocation().request_id == "renamed"
    assert not signal.works
    assert len(metrics(capsys)) == 1


def test_a_listener_that_fails_does_not_reach_the_client(caplog):
    _, client = modules(wait_next_invocation=request(invoke_id="r1"))

    def fails(*_):
        raise RuntimeError("listener")

    assert runtime_client.on_next_invocation(client, before=fails, after=fails)
    assert client().wait_next_invocation().invoke_id == "r1"
    assert caplog.text.count("a listener of the runtime client failed") == 2


@pytest.mark.parametrize(
    ("post", "accepted"),
    [
        (lambda self, invoke_id, result: None, True),
        (lambda self, *args, **kwargs: None, True),
        (lambda self, result, invoke_id: None, False),
        (lambda self, request_id, result: None, False),
        ("no function", False),
    ],
)
def test_a_post_must_take_the_request_id_first(post, accepted):
    _, client = modules(post_invocation_result=post)
    assert runtime_client.takes_request_id(client, "post_invocation_result") is accepted
