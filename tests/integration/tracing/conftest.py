"""The traced function on the built layers, with AWS's own runtime client and fakes."""

import contextlib
import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tools.local.fakes.langfuse_server import FakeLangfuse
from tools.local.runtime.environment_pool import EnvironmentPool
from tools.local.runtime.function import Function


class Running:
    """The running function, with the times of the caller and the environment."""

    def __init__(self, environments, log):
        self.environments = environments
        self.log = log

    def ask(self, query="What is 2+2?"):
        """The answer, and the seconds that its caller waited."""
        started = time.monotonic()
        invocation = self.environments.invoke(json.dumps({"query": query}).encode())
        assert invocation.error is None, (invocation.error, self.log[-20:])
        waited_s = time.monotonic() - started
        return json.loads(json.loads(invocation.payload)["body"]), waited_s

    def drain(self):
        """Wait until the environment is frozen; the seconds that took."""
        started = time.monotonic()
        self.environments.drain()
        return time.monotonic() - started

    def metrics(self, name):
        """The sum of a metric over the log's lines."""
        lines = [json.loads(line) for line in self.log if '"_aws"' in line]
        return sum(line.get(name, 0) for line in lines)


@pytest.fixture(scope="session")
def running(opt, source, bedrock):
    """Runs the handler with these settings for the length of a `with`; it sends traces to `langfuse`."""

    @contextlib.contextmanager
    def run(langfuse, *, code=None, timeout_s=30.0, **environment):
        log = []
        function = Function(
            code=code or source,
            opt=opt,
            timeout_s=timeout_s,
            environment={
                "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": bedrock.url,
                "AWS_ACCESS_KEY_ID": "local",
                "AWS_SECRET_ACCESS_KEY": "local",
                "LANGFUSE_HOST": langfuse.url,
                "LANGFUSE_PUBLIC_KEY": langfuse.public_key,
                "LANGFUSE_SECRET_KEY": langfuse.secret_key,
                **environment,
            },
        )
        with EnvironmentPool(function, log=log.append) as environments:
            yield Running(environments, log)

    return run


@pytest.fixture
def langfuse():
    with FakeLangfuse() as langfuse:
        yield langfuse


@pytest.fixture
def unused_port():
    """A port without a listener."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


class SecretsManager:
    """A fake Secrets Manager with at most one secret."""

    def __init__(self):
        self.secret = None
        self.requests = []
        manager = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                manager.requests.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                found = manager.secret is not None
                self.send_response(200 if found else 400)
                self.end_headers()
                missing = {"__type": "ResourceNotFoundException", "message": "no such secret"}
                self.wfile.write(json.dumps({"SecretString": manager.secret} if found else missing).encode())

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def store(self, langfuse, secret_key=None):
        """Store Langfuse's keys."""
        keys = {"LANGFUSE_PUBLIC_KEY": langfuse.public_key}
        self.secret = json.dumps({**keys, "LANGFUSE_SECRET_KEY": secret_key or langfuse.secret_key})


@pytest.fixture
def secrets():
    manager = SecretsManager()
    yield manager
    manager.server.shutdown()
    manager.server.server_close()
