"""Connections that went stale while the environment was frozen: the next request does not wait for them."""

import functools
import json
import socket
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ConnectionClosedError
from strands.models import BedrockModel

from tests.example_agent.src.agent import build_agent
from traced_agent.aws import boto3_session
from traced_agent.aws.idle_connections import (
    LOST_AFTER_MS,
    MAX_IDLE_S,
    IdleConnections,
    detect_lost_connections,
)

ANSWER = {
    "output": {"message": {"role": "assistant", "content": [{"text": "Yes."}]}},
    "stopReason": "end_turn",
    "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2},
    "metrics": {"latencyMs": 1},
}


class StaleConnections(BaseHTTPRequestHandler):
    """Answers the first request of each connection; later ones get no byte, as behind a NAT gateway."""

    protocol_version = "HTTP/1.1"

    def setup(self):
        super().setup()
        self.answered = False

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        if self.answered:
            self.server.swallowed += 1
            self.server.closing.wait(20)
            self.close_connection = True
            return
        self.answered = True
        body = json.dumps(ANSWER).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), StaleConnections) as server:
        server.swallowed, server.closing = 0, threading.Event()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.closing.set()
        server.shutdown()


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def ask(calling, server, clock, monkeypatch):
    """Asks a model behind the server, with a client of the function's own session."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "any")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")
    session = boto3_session.shared_session.__wrapped__("us-east-1")
    model = BedrockModel(
        boto_session=session,
        boto_client_config=Config(read_timeout=1, retries={"mode": "standard", "total_max_attempts": 2}),
        endpoint_url=f"http://127.0.0.1:{server.server_port}",
        streaming=False,
    )
    called = calling()
    called.handler = replace(
        called.handler,
        new_agent=functools.partial(build_agent, model),
        connections=IdleConnections(session.clients, clock=clock),
    )
    return lambda: called.post({"query": "Hi"})[0]


def test_after_a_freeze_the_request_uses_a_new_connection(ask, server, clock):
    assert ask() == 200
    clock.now += MAX_IDLE_S + 1
    assert ask() == 200
    assert server.swallowed == 0


def test_a_peer_that_acknowledges_a_request_without_an_answer_costs_one_read_timeout(ask, server):
    assert ask() == 200
    assert ask() == 200
    assert server.swallowed == 1


@pytest.mark.skipif(
    not hasattr(socket, "TCP_USER_TIMEOUT"), reason="this system cannot detect lost connections"
)
def test_a_connection_whose_peer_acknowledges_nothing_is_closed_before_the_read_timeout():
    with socket.create_server(("127.0.0.1", 0)) as peer:  # it accepts no byte once its buffer is full
        config = Config(read_timeout=60, retries={"total_max_attempts": 1})
        session = boto3.Session("any", "any", region_name="us-east-1")
        client = session.client(
            "bedrock-runtime", endpoint_url=f"http://127.0.0.1:{peer.getsockname()[1]}", config=config
        )
        detect_lost_connections(client, lost_after_ms=300)
        with pytest.raises(ConnectionClosedError):
            client.invoke_model(modelId="m", body=b"x" * 20_000_000)


@pytest.mark.skipif(
    not hasattr(socket, "TCP_USER_TIMEOUT"), reason="this system cannot detect lost connections"
)
def test_every_client_of_the_session_detects_lost_connections():
    client = boto3_session.shared_session.__wrapped__("us-east-1").client("s3")
    assert (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, LOST_AFTER_MS) in (
        client._endpoint.http_session._manager.connection_pool_kw["socket_options"]
    )


def test_every_client_of_the_session_is_known_as_long_as_it_is_used():
    session = boto3_session.shared_session.__wrapped__("us-east-1")
    kept = [session.client("s3"), session.client("bedrock-runtime")]
    session.client("secretsmanager")
    assert set(kept) <= set(session.clients)


def test_connections_are_closed_when_they_were_idle_for_long():
    class Clock:
        now = 100.0

        def __call__(self):
            return self.now

    class Client:
        closed = 0

        def close(self):
            self.closed += 1

    clock, client = Clock(), Client()
    connections = IdleConnections([client], clock=clock)
    for pause, closed in ((0, 0), (MAX_IDLE_S, 0), (MAX_IDLE_S + 1, 1), (1, 1)):
        clock.now += pause
        with connections:
            assert client.closed == closed
