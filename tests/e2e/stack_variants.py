"""The variants of the stack, and the behaviour that each of them must show."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from infra.options import Options
from tools.aws.account import Account
from tools.aws.function_client import FunctionClient
from tools.local.cloud.local_cloud import LocalCloud
from tools.local.control_plane.server import CREDENTIALS
from traced_agent import metrics

Lines = Sequence[Mapping[str, Any]]
"""The function's log, decoded."""


STACK = Options().stack_name


QUERY = {"query": "What is 2+2?"}


COUNTED = {metrics.COLD_STARTS, metrics.INPUT_TOKENS, metrics.OUTPUT_TOKENS}


ORIGIN = "https://app.example.com"


PROFILE = "arn:aws:bedrock:us-east-1:000000000000:application-inference-profile/a1b2c3"


def _ask(cloud: LocalCloud, **request: Any) -> httpx.Response:
    return httpx.post(cloud.url, json=QUERY, timeout=60, **request)


def _answers(cloud: LocalCloud) -> dict[str, Any]:
    """The answer to a question, signed where it must be, and its trace has arrived."""
    with httpx.Client(timeout=60) as client:
        bearer = cloud.openid.token() if cloud.openid else ""
        answer = FunctionClient(client, _account(cloud), bearer).ask(cloud.url, json.dumps(QUERY).encode())
    assert answer["success"], answer
    assert "4" in answer["response"]
    return answer


def _account(cloud: LocalCloud) -> Account:
    return Account(region=cloud.control_plane.region)


def _is_public(cloud: LocalCloud, _: Lines) -> None:
    assert _ask(cloud).status_code == 200
    assert (
        httpx.get(cloud.url, headers={"accept": "text/html"}).headers["content-type"].startswith("text/html")
    )
    assert httpx.delete(cloud.url).status_code == 405


def _is_locked(cloud: LocalCloud, _: Lines) -> None:
    body = json.dumps(QUERY).encode()

    def status(sent: bytes, **keys: str) -> int:
        pair = {**CREDENTIALS, **keys}.values()
        request = AWSRequest("POST", cloud.url, data=body, headers={"content-type": "application/json"})
        SigV4Auth(Credentials(*pair), "lambda", cloud.control_plane.region).add_auth(request)
        return httpx.post(cloud.url, content=sent, headers=dict(request.headers), timeout=60).status_code

    assert status(body) == 200
    assert status(body.replace(b"2+2", b"2+3")) == 403
    assert status(body, AWS_SECRET_ACCESS_KEY="of somebody else") == 403
    assert _ask(cloud).status_code == 403


def _needs_a_token(cloud: LocalCloud, _: Lines) -> None:
    assert _ask(cloud).status_code == 401
    assert cloud.openid
    bearer = {"authorization": f"Bearer {cloud.openid.token()}"}
    assert _ask(cloud, headers=bearer).status_code == 200


def _streams_to_who_signs(cloud: LocalCloud, _: Lines) -> None:
    heard: list[str] = []
    with httpx.Client(timeout=60) as client:
        answer = FunctionClient(client, _account(cloud)).ask(
            cloud.url,
            json.dumps({**QUERY, "session_id": "of-the-variants"}).encode(),
            listener=lambda event, data: heard.append(event),
        )
    assert answer["success"]
    assert {"start", "text", "tool", "result"} == set(heard)
    assert _ask(cloud).status_code == 403


def _starts_from_a_version(cloud: LocalCloud, _: Lines) -> None:
    function = cloud.deployed.read({})
    assert function.snapstart
    assert function.version == "1"
    assert len({_ask(cloud).json()["trace_id"] for _ in range(2)}) == 2


def _is_traced_by_xray(cloud: LocalCloud, said: Lines) -> None:
    assert cloud.deployed.read({}).xray
    assert all(line["xray_trace_id"].startswith("1-") for line in said if "run_id" in line)


def _tells_by_mail(cloud: LocalCloud, _: Lines) -> None:
    (subscription,) = cloud.client("sns").list_subscriptions()["Subscriptions"]
    alarms = cloud.client("cloudwatch").describe_alarms()["MetricAlarms"]
    assert subscription["Endpoint"] == "on-call@example.com"
    assert len(alarms) == 8
    assert all(alarm["AlarmActions"] == [subscription["TopicArn"]] for alarm in alarms)


def _answers_its_origin_only(cloud: LocalCloud, _: Lines) -> None:
    def allowed(origin: str) -> str | None:
        asks = {"origin": origin, "access-control-request-method": "POST"}
        return httpx.options(cloud.url, headers=asks).headers.get("access-control-allow-origin")

    assert allowed(ORIGIN) == ORIGIN
    assert allowed("https://elsewhere.example.com") is None


def _invokes_the_profile(cloud: LocalCloud, _: Lines) -> None:
    assert {request["modelId"] for request in cloud.bedrock.requests} == {PROFILE}


@dataclass(frozen=True)
class Variant:
    """A context, and what is to be seen of it once it is deployed and was asked."""

    context: dict[str, str] = field(default_factory=dict)
    shows: Callable[[LocalCloud, Lines], None] = lambda *_: None


VARIANTS = {
    "auth none": Variant({}, _is_public),
    "auth iam": Variant({"auth": "iam"}, _is_locked),
    "auth jwt": Variant({"auth": "jwt"}, _needs_a_token),
    "snapstart": Variant({"snapstart": "true"}, _starts_from_a_version),
    "xray": Variant({"xray": "true"}, _is_traced_by_xray),
    "alarm_email": Variant({"alarm_email": "on-call@example.com"}, _tells_by_mail),
    "cors_origins": Variant({"cors_origins": ORIGIN}, _answers_its_origin_only),
    "application inference profile": Variant({"model_id": PROFILE}, _invokes_the_profile),
    "all at once": Variant(
        {"auth": "iam", "snapstart": "true", "xray": "true", "sessions": "true", "streaming": "true"},
        _streams_to_who_signs,
    ),
}
