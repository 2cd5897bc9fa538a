"""The function asks its OpenID Connect issuer over HTTP; an issuer that fails costs no answer to others."""

import json

import httpx
import pytest

from tests.unit.traced_agent.auth.fake_issuer import AUDIENCE, FakeIssuer
from tools.local.http.server import HttpServer
from traced_agent.auth.bearer import MAX_LENGTH

KEYS = "/keys"
DISCOVERY = "/.well-known/openid-configuration"


class IssuerServer(HttpServer):
    """Publishes the keys of an issuer; `failure` replaces the answers to one path."""

    def __init__(self):
        super().__init__(self._respond)
        self.failure = {}
        self.paths = []

    def __enter__(self):
        super().__enter__()
        self.issuer = FakeIssuer(self.url)
        return self

    def _respond(self, exchange):
        path = exchange.path
        self.paths.append(path)
        if fail := self.failure.get(path):
            fail(exchange)
        elif path == DISCOVERY:
            document = {"issuer": self.url, "jwks_uri": self.url + KEYS}
            exchange.answer(200, json.dumps(document).encode())
        else:
            exchange.answer(200, json.dumps({"keys": self.issuer.jwks()}).encode())


def hang(exchange):
    exchange.closing.wait(30)


def redirect(exchange):
    exchange.answer(302, b"", {"location": "/elsewhere"})


def html(exchange):
    exchange.answer(200, b"<!doctype html><title>Sign in</title>", {"content-type": "text/html"})


@pytest.fixture
def server():
    with IssuerServer() as server:
        yield server


@pytest.fixture
def function(serve, bedrock, server):
    """A new execution environment, which knows no key yet."""
    environment = {"JWT_ISSUER": server.url, "JWT_AUDIENCE": AUDIENCE}
    with serve(bedrock_url=bedrock.url, environment=environment, timeout_s=60) as served:
        yield served


def ask(function, token):
    headers = {"authorization": f"Bearer {token}"}
    return httpx.post(
        function.url, json={"query": "What is 2+2?"}, headers=headers, timeout=60, trust_env=False
    )


def check_rejected(response, message):
    assert (response.status_code, response.json()["error"]["code"]) == (401, "unauthorized")
    assert message in response.json()["error"]["message"]
    assert response.headers["www-authenticate"] == 'Bearer error="invalid_token"'


def test_keys_are_fetched_once_and_a_token_that_is_too_long_is_rejected(function, server, bedrock):
    assert ask(function, server.issuer.token()).status_code == 200
    assert server.paths == [DISCOVERY, KEYS]
    runs = len(bedrock.requests)
    check_rejected(ask(function, server.issuer.token(filler="x" * MAX_LENGTH)), "characters")
    # The Function URL itself rejects a header of 100 kB.
    assert ask(function, server.issuer.token(filler="x" * 100_000)).status_code == 431
    assert len(bedrock.requests) == runs
    assert ask(function, server.issuer.token()).status_code == 200
    assert server.paths == [DISCOVERY, KEYS]


def test_a_token_of_a_key_that_the_issuer_removed_is_rejected(function, server):
    token = server.issuer.token("ec", "ES256")
    server.issuer.published.remove("ec")
    check_rejected(ask(function, token), "a key that its issuer does not publish")
    assert ask(function, server.issuer.token()).status_code == 200


@pytest.mark.parametrize(("failure", "path"), [(hang, KEYS), (redirect, KEYS), (html, DISCOVERY)])
def test_an_issuer_that_fails_is_reported_in_the_log_and_runs_nothing(
    function, server, bedrock, failure, path
):
    runs = len(bedrock.requests)
    server.failure[path] = failure
    check_rejected(ask(function, server.issuer.token()), "the issuer's keys cannot be fetched at the moment")
    assert len(bedrock.requests) == runs
    assert "/elsewhere" not in server.paths
    asked = len(server.paths)
    check_rejected(ask(function, server.issuer.token()), "the issuer's keys cannot be fetched at the moment")
    assert len(server.paths) == asked, "asked at most once a minute"
    assert httpx.get(f"{function.url}health", timeout=60, trust_env=False).status_code == 200
    function.environments.drain()
    assert sum(f"the keys of {server.url} cannot be fetched" in line for line in function.log) == 1
