"""A bearer token is accepted only if the issuer signed it for our audience, and it is valid now."""

import base64
import hashlib
import hmac
import json
import time

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.traced_agent.auth.fake_issuer import AUDIENCE, ISSUER, FakeIssuer
from traced_agent.auth.bearer import ALGORITHMS, MAX_LENGTH, Authenticator
from traced_agent.auth.issuer_keys import IssuerKeys
from traced_agent.errors import ApiError


@pytest.fixture(scope="module")
def issuer():
    return FakeIssuer()


@pytest.fixture(scope="module")
def authenticate(issuer):
    authenticator = Authenticator([AUDIENCE], ISSUER, IssuerKeys(ISSUER, fetch=issuer.fetch))
    return lambda token: authenticator.authenticate({"authorization": f"Bearer {token}"})


def rejection(authenticate, token):
    with pytest.raises(ApiError) as error:
        authenticate(token)
    assert (error.value.code, error.value.status) == ("unauthorized", 401)
    assert error.value.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    assert token not in error.value.message or len(token) < 4
    return error.value.message


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [("rsa", "RS256"), ("rsa", "RS512"), ("rsa", "PS256"), ("ec", "ES256"), ("ed", "EdDSA")],
)
def test_a_token_of_the_issuer_gives_its_subject(authenticate, issuer, key, algorithm):
    assert authenticate(issuer.token(key, algorithm)) == "user-1"


def test_an_audience_among_several_is_accepted(authenticate, issuer):
    assert authenticate(issuer.token(aud=["other", AUDIENCE])) == "user-1"


def test_cognitos_access_tokens_name_the_client_instead_of_an_audience(authenticate, issuer):
    assert authenticate(issuer.token(without=["aud"], client_id=AUDIENCE, token_use="access")) == "user-1"
    assert "another audience" in rejection(authenticate, issuer.token(without=["aud"], client_id="other"))
    assert "another audience" in rejection(authenticate, issuer.token(aud="other", client_id=AUDIENCE))


def test_a_token_from_the_near_future_is_accepted_for_a_minute(authenticate, issuer):
    assert authenticate(issuer.token(nbf=int(time.time()) + 30, iat=int(time.time()) + 30)) == "user-1"


@pytest.mark.parametrize(
    ("claims", "message"),
    {
        "expired": ({"exp": 1_000_000_000}, "expired"),
        "expired a second ago": ({"exp": int(time.time()) - 1}, "expired"),
        "not yet valid": ({"nbf": 4_000_000_000}, "not valid yet"),
        "issued in the future": ({"iat": 4_000_000_000}, "not valid yet"),
        "wrong issuer": ({"iss": "https://evil.example.com"}, "another issuer"),
        "issuer with a slash more": ({"iss": ISSUER + "/"}, "another issuer"),
        "wrong audience": ({"aud": "client-2"}, "another audience"),
        "no audience in the list": ({"aud": []}, "another audience"),
        "an audience that is an object": ({"aud": {"a": 1}}, "another audience"),
        "a refresh token": ({"token_use": "refresh"}, "neither an access token nor an id token"),
        "a subject that is no user id": ({"sub": "ü"}, "subject"),
        "a subject that is too long": ({"sub": "u" * 201}, "subject"),
        "an empty subject": ({"sub": ""}, "subject"),
    }.values(),
)
def test_a_signed_token_with_unsuitable_claims_is_rejected(authenticate, issuer, claims, message):
    assert message in rejection(authenticate, issuer.token(**claims))


@pytest.mark.parametrize("claim", ["exp", "iss", "sub", "aud"])
def test_a_token_without_a_required_claim_is_rejected(authenticate, issuer, claim):
    message = rejection(authenticate, issuer.token(without=[claim]))
    assert "another audience" in message if claim == "aud" else f"it has no {claim}" in message


def segment(content):
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def forged(issuer, algorithm, headers):
    """A token whose header was replaced, so its signature is for something else."""
    _, payload, signature = issuer.token().split(".")
    return f"{segment({'alg': algorithm, 'typ': 'JWT', **headers})}.{payload}.{signature}"


def test_no_signature_is_rejected(authenticate, issuer):
    header, payload, _ = issuer.token().split(".")
    unsigned = f"{segment({'alg': 'none'})}.{payload}."
    assert "Authorization: Bearer TOKEN" in rejection(authenticate, unsigned)
    assert "algorithm is not allowed" in rejection(authenticate, forged(issuer, "none", {}))
    assert "Authorization: Bearer TOKEN" in rejection(authenticate, f"{header}.{payload}.")


def test_the_public_key_as_a_shared_secret_is_rejected(authenticate, issuer):
    public = (
        issuer.private["rsa"]
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    _, payload, _ = issuer.token().split(".")
    signed = f"{segment({'alg': 'HS256', 'kid': 'rsa'})}.{payload}"
    signature = base64.urlsafe_b64encode(hmac.digest(public, signed.encode(), hashlib.sha256)).rstrip(b"=")
    assert "algorithm is not allowed" in rejection(authenticate, f"{signed}.{signature.decode()}")


@pytest.mark.parametrize("algorithm", ["HS256", "HS512", "RS255", "", None, 1, ["RS256"], {"RS256": 1}])
def test_an_algorithm_that_is_not_on_the_list_is_rejected(authenticate, issuer, algorithm):
    assert rejection(authenticate, forged(issuer, algorithm, {}))
    assert algorithm not in ALGORITHMS if isinstance(algorithm, str) else True


@pytest.mark.parametrize(
    "key_id",
    ["../../etc/passwd", "https://evil.example.com/key", "removed", "", 7, None, ["rsa"], "x" * 5000],
)
def test_a_key_id_is_looked_up_and_never_fetched(authenticate, issuer, key_id):
    assert rejection(authenticate, forged(issuer, "RS256", {"kid": key_id}))
    assert all(address.startswith("https://issuer.example.com/") for address in issuer.requests)


@pytest.mark.parametrize("header", ["jku", "x5u", "jwk", "x5c"])
def test_a_key_or_an_address_in_the_header_is_ignored(authenticate, issuer, header):
    own = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    jwk = {**jwt.algorithms.RSAAlgorithm.to_jwk(own.public_key(), as_dict=True), "kid": "rsa"}
    values = {"jwk": jwk, "x5c": ["MIIB"]}
    more = {"kid": "rsa", header: values.get(header, "https://evil.example.com/keys")}
    token = issuer.token(own, headers=more)
    assert "signature does not match" in rejection(authenticate, token)
    assert all(address.startswith("https://issuer.example.com/") for address in issuer.requests)


def test_a_valid_signature_over_other_claims_is_rejected(authenticate, issuer):
    header, _, signature = issuer.token().split(".")
    _, payload, _ = issuer.token(sub="admin").split(".")
    assert "signature does not match" in rejection(authenticate, f"{header}.{payload}.{signature}")


def test_a_token_of_another_key_type_is_rejected(authenticate, issuer):
    assert "does not publish" in rejection(authenticate, forged(issuer, "ES256", {"kid": "rsa"}))


@pytest.mark.parametrize(
    "authorization",
    [
        "Basic dXNlcjpwYXNz",
        "Bearer",
        "Bearer ",
        "Bearer a.b",
        "Bearer a.b.c,Bearer a.b.c",
        "Bearer a.b.c a.b.c",
    ],
)
def test_anything_but_one_bearer_token_is_rejected(issuer, authorization):
    authenticator = Authenticator([AUDIENCE], ISSUER, IssuerKeys(ISSUER, fetch=issuer.fetch))
    with pytest.raises(ApiError, match="Authorization: Bearer TOKEN"):
        authenticator.authenticate({"authorization": authorization})


def test_the_error_of_a_request_without_a_token_asks_for_one(issuer):
    authenticator = Authenticator([AUDIENCE], ISSUER, IssuerKeys(ISSUER, fetch=issuer.fetch))
    with pytest.raises(ApiError, match=r"A token is required.*Authorization: Bearer TOKEN"):
        authenticator.authenticate({})


def test_a_token_of_100_kb_is_rejected_unread(authenticate):
    assert f"longer than {MAX_LENGTH} characters" in rejection(authenticate, "a" * 100_000)


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60))
def test_any_text_is_rejected_and_never_a_server_error(authenticate, text):
    assert rejection(authenticate, text)


VALUES = st.none() | st.booleans() | st.integers() | st.text(max_size=9) | st.just("RS256") | st.just("rsa")


@given(
    header=st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "b64", "zip"]), VALUES),
    payload=st.recursive(VALUES, lambda inner: st.lists(inner, max_size=3)),
    signature=st.binary(max_size=40),
)
def test_any_three_parts_are_rejected_and_never_a_server_error(authenticate, header, payload, signature):
    signed = base64.urlsafe_b64encode(signature).rstrip(b"=").decode() or "AA"
    assert rejection(authenticate, f"{segment(header)}.{segment(payload)}.{signed}")


@given(position=st.integers(0, 500), replacement=st.sampled_from("Aaz09-_."))
def test_a_token_with_one_character_changed_gives_no_other_subject(
    authenticate, issuer, position, replacement
):
    token = issuer.token()
    changed = token[: position % len(token)] + replacement + token[position % len(token) + 1 :]
    if same(changed, token):  # nothing was changed, or bits of base64 that do not matter
        assert authenticate(changed) == "user-1"
    else:
        assert rejection(authenticate, changed)


def same(first, second):
    (signed, _, signature), (other, _, its) = first.rpartition("."), second.rpartition(".")
    return signed == other and base64.urlsafe_b64decode(signature + "==") == base64.urlsafe_b64decode(
        its + "=="
    )
