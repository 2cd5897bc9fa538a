"""A Function URL with AuthType AWS_IAM accepts what AWS accepts."""

import contextlib
import datetime as dt
import hashlib
import http.client
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tools.local.function_url.server import CREDENTIALS

ECHO = "def handler(event, context): return event"


def signed(
    url, body=b"{}", *, access_key=None, secret=None, region="us-east-1", service="lambda", headers=()
):
    request = AWSRequest(
        "POST", url, data=body, headers={"content-type": "application/json", **dict(headers)}
    )
    key = Credentials(access_key or CREDENTIALS.access_key, secret or CREDENTIALS.secret_key)
    SigV4Auth(key, service, region).add_auth(request)
    return request.prepare()


def send(prepared, body=None):
    content = prepared.body if body is None else body
    return httpx.post(prepared.url, content=content, headers=dict(prepared.headers.items()))


@pytest.mark.parametrize("path", ["", "health", "a%20b?x=1&b=%2F&a=2", "?flag"])
def test_a_signed_request_passes_and_names_its_caller(served, path):
    response = send(signed(served(ECHO, auth="iam") + path))
    assert response.status_code == 200
    iam = response.json()["requestContext"]["authorizer"]["iam"]
    assert iam["accessKey"] == CREDENTIALS.access_key


def test_an_invalid_signature_is_403(served):
    url = served(ECHO, auth="iam")
    assert httpx.post(url, json={}).status_code == 403
    assert httpx.post(url, json={}, headers={"authorization": "Bearer x"}).status_code == 403
    refused = {
        "a wrong secret": send(signed(url, secret="wrong")),
        "an unknown key": send(signed(url, access_key="AKIAUNKNOWN")),
        "a changed body": send(signed(url), body=b"[]"),
        "another region": send(signed(url, region="eu-west-1")),
        "another service": send(signed(url, service="execute-api")),
    }
    assert {why: response.status_code for why, response in refused.items()} == dict.fromkeys(refused, 403)
    assert refused["a wrong secret"].headers["x-amzn-errortype"] == "InvalidSignatureException"
    assert refused["an unknown key"].headers["x-amzn-errortype"] == "UnrecognizedClientException"


@pytest.mark.parametrize("minutes", [-6, 6])
def test_an_old_or_early_date_is_403(served, minutes, monkeypatch):
    then = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=minutes)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: then.replace(tzinfo=None))
    response = send(signed(served(ECHO, auth="iam")))
    assert response.status_code == 403
    assert "expired" in response.json()["Message"]


def test_a_changed_query_or_path_is_403(served):
    url = served(ECHO, auth="iam")
    prepared = signed(f"{url}a?x=1")
    prepared.url = prepared.url.replace("x=1", "x=2")
    assert send(prepared).status_code == 403


def presigned(url, *, expires=60, secret=CREDENTIALS.secret_key, method="GET"):
    request = AWSRequest(method, url)
    key = Credentials(CREDENTIALS.access_key, secret)
    SigV4QueryAuth(key, "lambda", "us-east-1", expires=expires).add_auth(request)
    return request.url


def test_a_presigned_url_passes_without_a_header(served):
    response = httpx.get(presigned(served(ECHO, auth="iam") + "health?a=1"))
    assert response.status_code == 200
    assert response.json()["requestContext"]["authorizer"]["iam"]["accessKey"] == CREDENTIALS.access_key


def test_a_presigned_url_is_403_once_it_has_changed_or_expired(served, monkeypatch):
    url = served(ECHO, auth="iam")
    refused = {
        "a wrong secret": httpx.get(presigned(url, secret="wrong")),
        "another path": httpx.get(presigned(url).replace("/?", "/other?")),
        "another query": httpx.get(presigned(f"{url}?a=1").replace("a=1", "a=2")),
        "another method": httpx.delete(presigned(url)),
        "too long": httpx.get(presigned(url, expires=700_000)),
    }
    then = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=61)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: then.replace(tzinfo=None))
    refused["an old one"] = httpx.get(presigned(url))
    assert {why: response.status_code for why, response in refused.items()} == dict.fromkeys(refused, 403)


def as_specified(url):
    """Signs as the specification says: names and values are decoded, then percent-encoded strictly."""
    parts = urlsplit(url)
    request = AWSRequest("GET", parts._replace(query="").geturl(), params=parse_qsl(parts.query, True))
    SigV4Auth(CREDENTIALS, "lambda", "us-east-1").add_auth(request)
    return dict(request.headers.items())


def as_botocore(url):
    request = AWSRequest("GET", url)
    SigV4Auth(CREDENTIALS, "lambda", "us-east-1").add_auth(request)
    return dict(request.headers.items())


@pytest.mark.parametrize("sign", [as_specified, as_botocore])
@pytest.mark.parametrize(
    "target",
    ["?a-b=1&a=2", "?a=b/c", "?a=*!'()", "?a=%2F&b", "a//b/../c", "a%20b?c=d%20e", "?a=2&a=1", "?a="],
)
def test_every_spelling_of_a_target_is_canonicalised_as_its_signer_did(served, sign, target):
    url = served(ECHO, auth="iam") + target
    headers = sign(url)
    with contextlib.closing(http.client.HTTPConnection(urlsplit(url).netloc)) as connection:
        connection.request("GET", url[url.index("/", 8) :], headers=headers)
        assert connection.getresponse().status == 200


def test_a_payload_hash_that_is_not_the_bodys_is_403(served):
    url = served(ECHO, auth="iam")
    for hashed in ("UNSIGNED-PAYLOAD", "0" * 64):
        assert send(signed(url, headers={"x-amz-content-sha256": hashed})).status_code == 403
    right = hashlib.sha256(b"{}").hexdigest()
    assert send(signed(url, headers={"x-amz-content-sha256": right})).status_code == 200


@pytest.mark.parametrize("authorization", ["", "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 Credential=a", "\u20ac"])
def test_a_header_that_is_not_a_signature_is_403(served, authorization):
    headers = {"authorization": authorization.encode("utf-8")}
    assert httpx.get(served(ECHO, auth="iam"), headers=headers).status_code == 403
