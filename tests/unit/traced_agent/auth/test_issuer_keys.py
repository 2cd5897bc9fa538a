"""The keys are fetched rarely and only from the issuer, and stay valid while the issuer is down."""

import json
import logging
import threading

import pytest

from tests.unit.traced_agent.auth.fake_issuer import ISSUER, FakeIssuer
from traced_agent.auth import issuer_keys
from traced_agent.auth.issuer_keys import MAX_AGE_S, RETRY_S, IssuerError, IssuerKeys


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture(scope="module")
def shared_issuer():
    return FakeIssuer()


@pytest.fixture
def issuer(shared_issuer):
    shared_issuer.requests, shared_issuer.failure = [], None
    shared_issuer.published = ["rsa", "ec", "ed"]
    return shared_issuer


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def keys(issuer, clock):
    return IssuerKeys(ISSUER, fetch=issuer.fetch, clock=clock)


def test_nothing_is_fetched_before_the_first_token_and_then_once(keys, issuer):
    assert issuer.requests == []
    for _ in range(3):
        assert keys.find("rsa", "RS256") is not None
    assert len(issuer.requests) == 2  # discovery and keys


def test_an_unknown_key_id_is_looked_for_at_most_once_a_minute(keys, issuer, clock):
    issuer.published = ["ec"]
    assert keys.find("rsa", "RS256") is None
    issuer.published = ["ec", "rsa"]
    clock.now += RETRY_S - 1
    for _ in range(100):
        assert keys.find("rsa", "RS256") is None
    assert len(issuer.requests) == 2
    clock.now += 2
    assert keys.find("rsa", "RS256") is not None
    assert len(issuer.requests) == 4


def test_known_keys_remain_valid_while_the_issuer_is_down(keys, issuer, clock, caplog, own_records):
    assert keys.find("rsa", "RS256") is not None
    issuer.failure = OSError("down")
    clock.now += MAX_AGE_S + 1
    with caplog.at_level(logging.ERROR):
        for _ in range(5):
            assert keys.find("rsa", "RS256") is not None
    assert len(issuer.requests) == 3
    assert len(own_records()) == 1
    assert "down" in caplog.text


def test_a_key_that_the_issuer_removed_stops_being_valid(keys, issuer, clock):
    assert keys.find("rsa", "RS256") is not None
    issuer.published = ["ec"]
    clock.now += MAX_AGE_S + 1
    assert keys.find("rsa", "RS256") is None


def test_an_issuer_that_works_again_is_requested_again_after_a_minute(keys, issuer, clock):
    issuer.failure = OSError("down")
    for _ in range(3):
        with pytest.raises(IssuerError, match="cannot be fetched"):
            keys.find("rsa", "RS256")
    assert len(issuer.requests) == 1
    issuer.failure = None
    clock.now += RETRY_S + 1
    assert keys.find("rsa", "RS256") is not None


def test_a_token_without_a_key_id_needs_a_single_possible_key(keys, issuer):
    assert keys.find(None, "RS256") is not None
    assert keys.find(None, "ES256") is not None
    issuer.private["rsa2"] = issuer.private["rsa"]
    issuer.published = ["rsa", "rsa2"]
    again = IssuerKeys(ISSUER, fetch=issuer.fetch)
    try:
        assert again.find(None, "RS256") is None
    finally:
        del issuer.private["rsa2"]


def test_a_request_to_an_issuer_that_hangs_ends_at_the_time_limit(clock, caplog):
    hanging = threading.Event()
    keys = IssuerKeys(ISSUER, fetch=lambda _: hanging.wait(20), clock=clock, timeout_s=0.05)
    with pytest.raises(IssuerError):
        keys.find("rsa", "RS256")
    hanging.set()
    assert "no answer in 0.05 s" in caplog.text


@pytest.mark.parametrize(
    ("discovery", "key_set", "message"),
    [
        (b"<html>", b"", "other than a JSON object"),
        (b"[]", b"", "other than a JSON object"),
        ({"issuer": "https://evil.example.com"}, b"", "names another issuer"),
        ({"issuer": ISSUER}, b"", "jwks_uri"),
        ({"issuer": ISSUER, "jwks_uri": "http://issuer.example.com/keys"}, b"", "jwks_uri"),
        ({"issuer": ISSUER, "jwks_uri": "file:///etc/passwd"}, b"", "jwks_uri"),
        ({"issuer": ISSUER, "jwks_uri": 7}, b"", "jwks_uri"),
        ({"issuer": ISSUER, "jwks_uri": "https://i/keys"}, b"<html>", "other than a JSON object"),
        ({"issuer": ISSUER, "jwks_uri": "https://i/keys"}, {"keys": []}, "no signing keys"),
        ({"issuer": ISSUER, "jwks_uri": "https://i/keys"}, {"keys": [7, {"use": "enc"}]}, "no signing keys"),
    ],
)
def test_a_response_that_is_not_a_key_set_is_logged_and_gives_no_key(discovery, key_set, message, caplog):
    def fetch(address):
        answer = discovery if address.endswith("configuration") else key_set
        return answer if isinstance(answer, bytes) else json.dumps(answer).encode()

    with pytest.raises(IssuerError):
        IssuerKeys(ISSUER, fetch=fetch).find("rsa", "RS256")
    assert message in caplog.text


def test_damaged_keys_are_ignored(issuer):
    damaged = [
        {"kty": "RSA", "kid": "rsa", "n": "!", "e": "AQAB"},
        {"kty": "oct", "k": "c2VjcmV0", "kid": "rsa"},
    ]

    def fetch(address):
        if address.endswith("configuration"):
            return issuer.fetch(address)
        return json.dumps({"keys": [*damaged, *issuer.jwks()]}).encode()

    keys = IssuerKeys(ISSUER, fetch=fetch)
    assert keys.find("rsa", "RS256") is not None
    assert keys.find("rsa", "ES256") is None


def test_only_https_addresses_and_loopback_are_fetched():
    assert issuer_keys._is_safe("https://a.example/keys")
    assert issuer_keys._is_safe("http://127.0.0.1:8000/keys")
    assert not issuer_keys._is_safe("http://169.254.169.254/latest/meta-data")
    assert not issuer_keys._is_safe("http://[")
