"""Copies of one SnapStart snapshot share nothing that must not be shared."""

import datetime as dt
import json
import os
import random
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from layers.function_asset import RUNTIME
from tests.example_agent.source import EXAMPLE_AGENT
from traced_agent.aws import boto3_session
from traced_agent.first_request import FirstRequest
from traced_agent.run import Run
from traced_agent.tracing.spans import RandomIdGenerator

WATCHED = """
import sys
connected = []
sys.addaudithook(lambda event, args: connected.append(args[1]) if event == "socket.connect" else None)
import lambda_handler
print(connected)
"""


@pytest.fixture
def credentials(monkeypatch):
    """Credentials as a SnapStart function gets them, from an endpoint; those of the snapshot have expired."""

    class Endpoint(BaseHTTPRequestHandler):
        given = 0

        def do_GET(self):
            Endpoint.given += 1
            expires = dt.datetime.now(dt.UTC) + dt.timedelta(hours=-1 if Endpoint.given == 1 else 6)
            body = {
                "AccessKeyId": f"AKID{Endpoint.given}",
                "SecretAccessKey": "secret",
                "Token": "token",
                "Expiration": expires.strftime("%Y-%m-%dT%H:%M:%SZ"),
            }
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *said):
            pass

    server = HTTPServer(("127.0.0.1", 0), Endpoint)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/credentials"
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", address)
    boto3_session.shared_session.cache_clear()
    yield
    boto3_session.shared_session.cache_clear()
    server.shutdown()
    server.server_close()


@pytest.mark.usefixtures("credentials")
def test_a_client_made_before_the_snapshot_signs_with_the_credentials_of_after():
    client = boto3_session.shared_session("us-east-1").client(
        "bedrock-runtime", endpoint_url="http://127.0.0.1:1"
    )
    signed = []
    client.meta.events.register(
        "before-send", lambda request, **_: signed.append(request.headers["Authorization"])
    )
    with pytest.raises(Exception, match="Could not connect"):
        client.converse(modelId="m", messages=[{"role": "user", "content": [{"text": "Hi"}]}])

    assert all(b"AKID2/" in authorization for authorization in signed)
    assert signed


def test_init_leaves_no_connection_in_the_snapshot():
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{EXAMPLE_AGENT}{os.pathsep}{RUNTIME}",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    secret = "arn:aws:secretsmanager:us-east-1:123456789012:secret:langfuse-AbCdEf"
    init = subprocess.run(
        [sys.executable, "-c", WATCHED],
        check=True,
        capture_output=True,
        text=True,
        env={**environ, "LANGFUSE_SECRET_ARN": secret, "SESSION_BUCKET": "b", "STREAMING": "true"},
    )

    assert init.stdout.splitlines()[-1] == "[]"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="copies are made by fork")
def test_copies_draw_other_ids_though_their_random_state_is_one():
    random.seed(1)

    assert not _in_a_copy() & _in_a_copy()


def _in_a_copy():
    """The ids that a copy of this process draws; the state of `random` is the copy's as well."""
    reading, writing = os.pipe()
    if not (child := os.fork()):
        ids = RandomIdGenerator()
        drawn = {"run": Run(1).id, "trace": ids.generate_trace_id(), "span": ids.generate_span_id()}
        os.write(writing, json.dumps(drawn).encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    with os.fdopen(reading) as read:
        return set(json.load(read).values())


def test_copies_of_a_snapshot_have_random_numbers_of_their_own():
    random.seed(7)
    first = FirstRequest({"AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start"})
    first.arrived()
    ours = random.random()
    random.seed(7)
    assert ours != random.random()
