"""With auth=jwt the deployed function answers users of the issuer only, over HTTP, streamed or not."""

import base64
import json
import time

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tools.aws.account import Account
from tools.aws.function_client import FunctionClient
from tools.local.cloud.local_cloud import LocalCloud
from tools.local.fakes.openid_provider import CLIENT


@pytest.fixture(scope="module")
def cloud(control_plane):
    context = {"auth": "jwt", "streaming": "true"}
    with LocalCloud(context, control_plane=control_plane, log=lambda _: None) as cloud:
        yield cloud


@pytest.fixture(scope="module")
def token(cloud):
    return cloud.openid.token("alice")


def ask(cloud, authorization=None, *, accept="application/json", **body):
    headers = {"accept": accept, **({"authorization": authorization} if authorization else {})}
    return httpx.post(
        cloud.url, json={"query": "What is 2+2?", **body}, headers=headers, timeout=60, trust_env=False
    )


def test_a_user_of_the_issuer_is_answered_and_is_the_user_of_the_trace(cloud, token):
    answer = ask(cloud, f"Bearer {token}").json()
    assert answer["success"], answer
    trace = cloud.langfuse.wait_for(answer["trace_id"])
    assert {span.attributes["user.id"] for span in trace.spans} == {"alice"}


def test_a_stream_is_authenticated_like_any_other_request(cloud, token):
    response = ask(cloud, f"Bearer {token}", accept="text/event-stream")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.text.rstrip().splitlines()[-2] == "event: result"
    rejected = ask(cloud, accept="text/event-stream")
    assert (rejected.status_code, rejected.json()["error"]["code"]) == (401, "unauthorized")


def test_the_command_line_client_sends_the_token(cloud, token):
    with httpx.Client(timeout=60, trust_env=False) as client:
        body = b'{"query": "What is 2+2?"}'
        answer = FunctionClient(client, Account(), token).ask(cloud.url, body)
        refused = FunctionClient(client, Account()).ask(cloud.url, body)
    assert answer["success"]
    assert refused["error"]["code"] == "unauthorized"


def segment(content):
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def foreign(cloud, headers=None, algorithm="RS256", **claims):
    """A token with the right claims, signed by a key that is not the issuer's."""
    now = int(time.time())
    own = {"iss": cloud.openid.issuer, "aud": CLIENT, "sub": "alice", "iat": now, "exp": now + 300, **claims}
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048) if algorithm != "HS256" else "x" * 32
    return jwt.encode(own, key, algorithm=algorithm, headers=headers)


def with_header(token, **header):
    return ".".join([segment({"alg": "RS256", **header}), *token.split(".")[1:]])


INVALID = {
    "no token": lambda *_: None,
    "basic authentication": lambda *_: "Basic dXNlcjpwYXNz",
    "two tokens": lambda _, token: f"Bearer {token}, Bearer {token}",
    "no signature": lambda _, token: (
        "Bearer " + ".".join([segment({"alg": "none"}), token.split(".")[1], ""])
    ),
    "alg none": lambda _, token: "Bearer " + with_header(token, alg="none"),
    "a shared secret": lambda cloud, _: "Bearer " + foreign(cloud, algorithm="HS256"),
    "a foreign key": lambda cloud, _: "Bearer " + foreign(cloud),
    "expired": lambda cloud, _: "Bearer " + foreign(cloud, exp=1),
    "not yet valid": lambda cloud, _: "Bearer " + foreign(cloud, nbf=4_000_000_000),
    "wrong issuer": lambda cloud, _: "Bearer " + foreign(cloud, iss="https://evil.example.com"),
    "wrong audience": lambda cloud, _: "Bearer " + foreign(cloud, aud="other"),
    "a path as key id": lambda _, token: "Bearer " + with_header(token, kid="../../etc/passwd"),
    "an address as key id": lambda _, token: "Bearer " + with_header(token, kid="http://169.254.169.254/"),
    "jku": lambda cloud, _: "Bearer " + foreign(cloud, {"jku": "http://127.0.0.1:9/keys"}),
    "x5u": lambda cloud, _: "Bearer " + foreign(cloud, {"x5u": "http://127.0.0.1:9/keys"}),
    "jwk": lambda cloud, _: "Bearer " + foreign(cloud, {"jwk": {"kty": "oct", "k": "c2VjcmV0"}}),
    "invalid base64": lambda *_: "Bearer !!!.???.***",
    "other claims": lambda cloud, token: (
        "Bearer "
        + ".".join(
            [token.split(".")[0], segment({"sub": "admin", "iss": cloud.openid.issuer}), token.split(".")[2]]
        )
    ),
}


@pytest.mark.parametrize("name", INVALID)
def test_an_invalid_token_runs_nothing(cloud, token, name):
    runs, traces = len(cloud.bedrock.requests), len(cloud.langfuse.traces())
    response = ask(cloud, INVALID[name](cloud, token))
    assert (response.status_code, response.json()["error"]["code"]) == (401, "unauthorized")
    assert response.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    assert len(cloud.bedrock.requests) == runs
    assert len(cloud.langfuse.traces()) == traces


def test_another_user_id_than_the_tokens_is_rejected(cloud, token):
    response = ask(cloud, f"Bearer {token}", user_id="bob")
    assert (response.status_code, response.json()["error"]["field"]) == (400, "user_id")


def test_health_and_the_preflight_need_no_token(cloud):
    assert httpx.get(f"{cloud.url}health", timeout=60, trust_env=False).status_code == 200
    assert httpx.options(cloud.url, trust_env=False).status_code == 204


def test_the_page_is_off(cloud):
    response = httpx.get(cloud.url, headers={"accept": "text/html"}, timeout=60, trust_env=False)
    assert response.status_code == 401
