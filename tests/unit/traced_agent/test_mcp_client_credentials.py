"""OAuth client credentials of MCP servers: they come from a secret, and are never logged."""

import base64
import logging

import pytest

from tests.unit.traced_agent.oauth_server import CLIENT, protected_server
from tests.unit.traced_agent.test_mcp_tools import Clock, ask
from traced_agent.mcp_tools import McpTools


@pytest.fixture(scope="module")
def server():
    with protected_server() as running:
        yield running


@pytest.fixture
def endpoint(server):
    yield server[1]
    server[1].fault = ""


@pytest.fixture
def logged(caplog):
    """All that any library logs, at every level."""
    caplog.set_level(logging.DEBUG)
    return caplog


def mcp_tools(url, *, secret=CLIENT, **options):
    servers = {"stock": {"url": url, "authSecret": "arn"}}
    return McpTools(servers, read_secret=lambda arn, *keys: secret, **options)


def contains_credentials(text):
    basic = base64.b64encode(":".join(CLIENT.values()).encode()).decode()
    return any(secret in text for secret in (CLIENT["client_secret"], basic, "token-canary"))


def test_a_client_with_the_credentials_of_the_secret_gets_a_token_once(server, endpoint, logged):
    before = len(endpoint.tokens)
    mcp = mcp_tools(server[0])
    for _ in range(2):
        assert ask(mcp)["content"][0]["text"] == "There are 12 of tea."
    assert len(endpoint.tokens) == before + 1
    assert logged.records
    assert not contains_credentials(logged.text)


def test_a_token_that_is_revoked_is_replaced(server, endpoint):
    mcp = mcp_tools(server[0])
    assert ask(mcp)["status"] == "success"
    before = len(endpoint.tokens)
    endpoint.revoked.update(endpoint.tokens)
    assert ask(mcp)["status"] == "success"
    assert len(endpoint.tokens) == before + 1


@pytest.mark.parametrize("fault", ["client", "garbage", "hang"])
def test_a_server_is_omitted_if_its_token_endpoint_gives_no_token(
    server, endpoint, logged, fault, own_records
):
    endpoint.fault = fault
    secret = {**CLIENT, "client_id": "unknown"} if fault == "client" else CLIENT
    mcp = mcp_tools(server[0], secret=secret, connect_timeout_s=2, clock=Clock())
    assert mcp.add_to([]) == []
    assert [record.levelname for record in own_records()].count("WARNING") == 1
    assert not contains_credentials(logged.text)
