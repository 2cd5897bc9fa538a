"""With bearer tokens on, a request without a valid one runs nothing, and the token's subject is the user."""

import dataclasses
import json

import pytest

from tests.example_agent.src.agent import build_agent, build_model
from tests.unit.traced_agent.auth.fake_issuer import AUDIENCE, ISSUER, FakeIssuer
from traced_agent import create_handler
from traced_agent.auth.bearer import Authenticator
from traced_agent.auth.issuer_keys import IssuerKeys
from traced_agent.settings import Settings, SettingsError


@pytest.fixture(scope="module")
def issuer():
    return FakeIssuer()


@pytest.fixture
def called(calling, issuer):
    called = calling(settings=Settings(jwt_issuer=ISSUER, jwt_audience=AUDIENCE))
    authenticator = Authenticator([AUDIENCE], ISSUER, IssuerKeys(ISSUER, fetch=issuer.fetch))
    return dataclasses.replace(
        called, handler=dataclasses.replace(called.handler, authenticator=authenticator)
    )


def headers(token=None):
    return {"content-type": "application/json", **({"authorization": f"Bearer {token}"} if token else {})}


def test_a_valid_token_is_answered(called, issuer):
    status, body, _ = called.post({"query": "Hi"}, headers=headers(issuer.token()))
    assert (status, body["response"]) == (200, "Four.")


@pytest.mark.parametrize("path", ["/", "/invocations", "/openapi.json", "/no-such-path"])
@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
def test_without_a_token_nothing_runs_and_one_line_is_logged(called, path, method, own_records, capsys):
    status, body, sent = called.post({"query": "Hi"}, path=path, method=method)
    assert (status, sent["www-authenticate"]) == (401, 'Bearer error="invalid_token"')
    assert body["error"]["code"] == "unauthorized"
    assert body["trace_id"] is None
    assert called.model.requests == []
    assert len(own_records()) == 1
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert sum(line.get("RequestsRejected", 0) for line in lines) == 1


@pytest.mark.parametrize("path", ["/health", "/ping"])
def test_health_needs_no_token(called, path):
    assert called.post(None, method="GET", path=path)[0] == 200


def test_a_preflight_needs_no_token(called):
    assert called.post(None, method="OPTIONS")[0] == 204


def test_a_direct_invocation_needs_a_token_too(called, context):
    assert called({"query": "Hi"})[0] == 401


def test_another_user_in_the_body_is_rejected_and_the_same_accepted(called, issuer):
    token = headers(issuer.token())
    status, body, _ = called.post({"query": "Hi", "user_id": "admin"}, headers=token)
    assert (status, body["error"]["code"], body["error"]["field"]) == (400, "invalid_request", "user_id")
    assert called.model.requests == []
    assert called.post({"query": "Hi", "user_id": "user-1"}, headers=token)[0] == 200


@pytest.mark.parametrize("variables", [{"JWT_ISSUER": ISSUER}, {"JWT_AUDIENCE": AUDIENCE}])
def test_init_fails_if_only_the_issuer_or_the_audience_is_set(variables):
    with pytest.raises(SettingsError, match="JWT_ISSUER and JWT_AUDIENCE must be set together"):
        create_handler(build_model, build_agent, variables)


@pytest.mark.parametrize(
    "issuer", ["issuer", "http://issuer.example.com", "https://u:p@i.example", "https://i/?a=1"]
)
def test_an_issuer_without_https_fails_init(issuer):
    with pytest.raises(SettingsError, match=r"^JWT_ISSUER must be .*https URL"):
        Settings.from_env({"JWT_ISSUER": issuer, "JWT_AUDIENCE": "a"})
