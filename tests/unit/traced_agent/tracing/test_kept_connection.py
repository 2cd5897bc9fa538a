"""The connection to the backend stays open between exports, and what it loses is sent again."""

import time

import pytest

from tests.unit.traced_agent.tracing.otlp_backend import OtlpBackend
from traced_agent.tracing.idle_connection import IdleConnection


@pytest.fixture
def connections(backend):
    """The connections that the backend accepted."""
    accepted = []
    get_request = backend.server.get_request

    def counted():
        request = get_request()
        accepted.append(request[0])
        return request

    backend.server.get_request = counted
    return accepted


def kept(backend, clock=time.time):
    """The backend, with a client that keeps its connection."""
    return OtlpBackend(backend.url, idle=IdleConnection(clock))


def export(traced, *names):
    for name in names:
        traced.run(name)
        traced.export()


def test_exports_use_one_connection(tracing_to, backend, connections):
    export(tracing_to(kept(backend)), "one", "two", "three")

    assert backend.names == ["one", "two", "three"]
    assert len(connections) == 1


def test_a_connection_that_was_closed_while_it_was_idle_is_replaced(tracing_to, backend, connections):
    traced = tracing_to(kept(backend))
    export(traced, "one")
    connections[0].shutdown(2)  # the client's socket is readable from now on, at its end
    export(traced, "two")

    assert backend.names == ["one", "two"]
    assert len(backend.requests) == 2
    assert len(connections) == 2


def test_a_request_that_a_kept_connection_loses_is_sent_again(tracing_to, backend, connections):
    traced = tracing_to(kept(backend))
    export(traced, "one")

    def close_once(handler, spans):
        backend.behave = backend.accept
        backend.close_at_once(handler, spans)

    backend.behave = close_once
    export(traced, "two")

    assert backend.names == ["one", "two"]
    assert [[span.name for span in spans] for _, spans in backend.requests] == [["one"], ["two"], ["two"]]
    assert len(connections) == 2


def test_a_new_connection_that_fails_is_not_tried_again_immediately(tracing_to, backend, connections):
    backend.behave = backend.close_at_once
    traced = tracing_to(kept(backend))
    traced.run("one")
    traced.export()

    assert len(connections) == 2  # the attempt, and the export queue's only retry


def test_the_server_can_ask_for_a_new_connection(tracing_to, backend, connections):
    def accept_and_close(handler, spans):
        backend.spans += spans
        backend.say(handler, 200, Connection="close")

    backend.behave = accept_and_close
    export(tracing_to(kept(backend)), "one", "two")

    assert backend.names == ["one", "two"]
    assert len(connections) == 2


def test_a_connection_that_was_idle_for_a_minute_is_replaced(tracing_to, backend, connections):
    now = [1000.0]
    traced = tracing_to(kept(backend, clock=lambda: now[0]))
    export(traced, "one")
    now[0] += 59
    export(traced, "two")
    assert len(connections) == 1
    now[0] += 60
    export(traced, "three")

    assert backend.names == ["one", "two", "three"]
    assert len(connections) == 2


def test_a_connection_is_not_kept_after_a_failure(tracing_to, backend, connections):
    backend.behave = backend.answering(401)
    traced = tracing_to(kept(backend))
    export(traced, "one")
    backend.behave = backend.accept
    export(traced, "two")

    assert backend.names == ["one", "two"]
    assert len(connections) == 2


def test_a_response_that_is_not_read_to_its_end_is_followed_by_a_new_connection(
    tracing_to, backend, connections
):
    def accept_at_length(handler, spans):
        backend.spans += spans
        backend.say(handler, 200, b"x" * 200_000)

    backend.behave = accept_at_length
    export(tracing_to(kept(backend)), "one", "two")

    assert backend.names == ["one", "two"]
    assert len(connections) == 2


def test_an_export_that_takes_too_long_leaves_no_connection(tracing_to, backend, connections):
    traced = tracing_to(kept(backend))
    export(traced, "one")
    backend.behave = backend.hang_before_headers
    traced.run("two")
    traced.export(0.3)
    backend.stop.set()
    backend.behave = backend.accept
    export(traced, "three")

    assert sorted(set(backend.names)) == ["one", "three", "two"]
    assert len(connections) == 2
