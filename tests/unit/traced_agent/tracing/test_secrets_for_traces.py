"""Headers of an OTLP endpoint come from a secret at the first export; a wrong one costs traces, no answer."""

import pytest
from botocore.exceptions import EndpointConnectionError

from tests.unit.traced_agent.tracing.secret_session import ARN, Session, refused
from traced_agent.settings import Settings
from traced_agent.tracing.backends import OtlpBackend


@pytest.fixture
def collecting(backend, tracing_to):
    """Makes tracing to the backend with headers from a secret."""

    def make(*values):
        session = Session(*values)
        settings = Settings(otlp_endpoint=backend.url, otlp_headers_secret_arn=ARN)
        return tracing_to(OtlpBackend(settings, session)), session

    return make


@pytest.mark.parametrize("secret", ['{"Api-Key": "k", "x-team": "core"}', "api-key=k,X-Team=core"])
def test_headers_of_a_collector_come_from_the_secret_when_they_are_needed(collecting, backend, secret):
    traced, session = collecting(secret)
    traced.run("one")
    assert session.requests == []
    traced.export()
    traced.run("two")
    traced.export()
    headers = {name.lower(): value for name, value in backend.requests[1][0].items()}
    assert (headers["api-key"], headers["x-team"]) == ("k", "core")
    assert session.requests == [("secretsmanager", "eu-west-1")]


def test_headers_of_a_collector_can_come_from_the_environment(backend, tracing_to):
    settings = Settings(otlp_endpoint=backend.url, otlp_headers="Api-Key=a%3Db")
    traced = tracing_to(OtlpBackend(settings, Session("unused")))
    traced.run("one")
    traced.export()
    assert backend.requests[0][0]["api-key"] == "a=b"


@pytest.mark.parametrize(
    ("secret", "says"),
    [
        (refused("ResourceNotFoundException"), "cannot be read (ResourceNotFoundException)"),
        (refused("AccessDeniedException"), "cannot be read (AccessDeniedException)"),
        ("", "must hold headers"),
        ("CANARY", "must hold headers"),
        ('{"x": 1}', "must hold headers"),
        ('["CANARY"]', "must hold headers"),
    ],
)
def test_a_wrong_secret_loses_the_trace_and_writes_one_line(collecting, backend, caplog, secret, says):
    traced, _ = collecting(secret)
    for _ in range(2):
        traced.run("one")
        traced.export()
    assert traced.metrics["TracesLost"] == 2
    assert caplog.text.count("traces are not sent: the secret") == 1
    assert says in caplog.text
    assert "CANARY" not in caplog.text
    assert traced.waiting == []


def test_a_corrected_secret_is_used_without_a_restart(collecting, backend):
    traced, _ = collecting("", "api-key=k")
    traced.run("lost")
    traced.export()
    traced.run("sent")
    traced.export()
    assert backend.names == ["sent"]


@pytest.mark.parametrize(
    "trouble",
    [
        refused("ThrottlingException"),
        refused("InternalServiceError", 500),
        EndpointConnectionError(endpoint_url="x"),
    ],
)
def test_spans_are_kept_while_secrets_manager_fails(collecting, backend, trouble):
    traced, _ = collecting(trouble, "api-key=k")
    traced.run("one")
    traced.export()
    assert traced.waiting == ["one"]
    traced.export()
    assert backend.names == ["one"]


def test_a_rotated_secret_is_picked_up_within_the_export(collecting, backend):
    def behave(handler, spans):
        known = handler.headers["api-key"] == "new"
        return backend.accept(handler, spans) if known else backend.say(handler, 401)

    backend.behave = behave
    traced, session = collecting("api-key=old", "api-key=new")
    traced.run("one")
    traced.export()
    assert backend.names == ["one"]
    assert len(session.requests) == 2
    assert traced.metrics == {"TracesExported": 1}
