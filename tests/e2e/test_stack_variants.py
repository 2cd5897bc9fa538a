"""Every variant of the stack: deployed, asked, refusing what it should, and gone without a trace."""

import base64
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from infra.options import Options
from tests.example_agent.control_plane import ExampleControlPlane
from tests.example_agent.source import EXAMPLE_AGENT
from tools.aws import cdk
from tools.aws.account import Account
from tools.aws.function_client import FunctionClient
from tools.local.cloud.local_cloud import LocalCloud
from tools.local.control_plane.server import CREDENTIALS
from tools.local.fakes.langfuse_server import FakeLangfuse
from traced_agent import metrics

Lines = Sequence[Mapping[str, Any]]
"""The function's log, decoded."""

STACK = Options().stack_name
QUERY = {"query": "What is 2+2?"}
COUNTED = {metrics.COLD_STARTS, metrics.INPUT_TOKENS, metrics.OUTPUT_TOKENS}
ORIGIN = "https://app.example.com"
PROFILE = "arn:aws:bedrock:us-east-1:000000000000:application-inference-profile/a1b2c3"


@pytest.fixture(scope="module")
def plane() -> Iterator[ExampleControlPlane]:
    with ExampleControlPlane() as plane:
        plane.bootstrap(plane.synthesize({}))
        yield plane


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)


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


@pytest.mark.usefixtures("credentials")
@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_is_deployed_answers_refuses_and_is_gone(name: str, plane: ExampleControlPlane) -> None:
    variant = VARIANTS[name]
    said: list[str] = []
    with LocalCloud(variant.context, control_plane=plane, log=said.append) as cloud:
        answer = _answers(cloud)
        assert cloud.langfuse.wait_for(answer["trace_id"])
        lines = [json.loads(line) for line in said if line.startswith("{")]
        variant.shows(cloud, lines)
        assert {name for line in lines for name in line} >= COUNTED
        assert cloud.langfuse.secret_key not in _all_that_is_told(plane) + "".join(said) + str(answer)
        assert cloud.langfuse.secret_key not in str(cloud.langfuse.traces())

    assert _left(plane) == {}


@pytest.mark.usefixtures("credentials")
def test_traces_go_to_a_plain_collector_and_nowhere_else(plane: ExampleControlPlane) -> None:
    with FakeLangfuse(secret_key="sk-of-the-collector") as collector:
        keys = base64.b64encode(f"{collector.public_key}:{collector.secret_key}".encode()).decode()
        headers = json.dumps({"authorization": f"Basic {keys}"})
        plane.client("secretsmanager").create_secret(Name="otlp", SecretString=headers)
        endpoint = f"{collector.url}/api/public/otel/v1/traces"
        with LocalCloud(
            {"otlp_endpoint": endpoint, "otlp_headers_secret": "otlp"}, control_plane=plane
        ) as cloud:
            answer = _answers(cloud)

            assert collector.wait_for(answer["trace_id"])
            assert cloud.langfuse.attempts == 0
            assert answer["trace_url"] is None
            assert keys not in _all_that_is_told(plane)

    assert _left(plane) == {}


def test_deploying_twice_changes_nothing_and_one_line_uploads_the_handler_alone(
    plane: ExampleControlPlane, tmp_path: Path
) -> None:
    first = plane.synthesize({})
    plane.deploy(first)
    try:
        deployed, uploaded = _deployed(plane), _uploaded(plane)
        clone = shutil.copytree(EXAMPLE_AGENT, tmp_path / "clone")
        plane.agent_source = clone
        plane.deploy(plane.synthesize({}))
        assert (_deployed(plane), _uploaded(plane)) == (deployed, uploaded)

        with (clone / "lambda_handler.py").open("a") as handler:
            handler.write("# one line more\n")
        plane.deploy(plane.synthesize({}))
        assert {key.rpartition(".")[2] for key in _uploaded(plane) - uploaded} == {"zip", "json"}
        assert len(_uploaded(plane) - uploaded) == 2  # the handler, and the template that names it
        assert _deployed(plane)["url"] == deployed["url"]
    finally:
        plane.agent_source = EXAMPLE_AGENT
        plane.destroy(first)


def test_a_change_of_model_and_memory_keeps_the_url(plane: ExampleControlPlane) -> None:
    first = plane.synthesize({})
    before = plane.deploy(first)["FunctionUrl"]
    try:
        changed = {"model_id": "us.amazon.nova-pro-v1:0", "memory_mb": "2048", "timeout_s": "60"}
        assert plane.deploy(plane.synthesize(changed))["FunctionUrl"] == before
    finally:
        plane.destroy(first)


def test_the_desk_takes_the_stack_from_deploy_to_destroy(plane: ExampleControlPlane) -> None:
    keys = {"LANGFUSE_PUBLIC_KEY": "pk-lf-desk", "LANGFUSE_SECRET_KEY": "sk-lf-canary-of-the-desk"}
    said = _run(plane, "tools.aws.deploy", "-c", "sessions=true", **keys)
    outputs = _outputs(plane)
    try:
        assert f"curl {outputs['FunctionUrl']} -H 'Content-Type: application/json'" in said
        assert keys["LANGFUSE_SECRET_KEY"] not in said + _all_that_is_told(plane)
        assert _variables(plane)["LANGFUSE_SECRET_ARN"] == Options().default_secret_name

        plane.client("s3").put_object(Bucket=outputs["SessionBucket"], Key="a/conversation", Body=b"{}")
    finally:
        _run(plane, "tools.aws.destroy", "--force", "-c", "sessions=true")
    assert _left(plane) == {}
    kept = plane.client("secretsmanager").get_secret_value(SecretId=Options().default_secret_name)[
        "SecretString"
    ]
    assert json.loads(kept) == keys


def _run(plane: ExampleControlPlane, module: str, *words: str, **environ: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-m", module, *words],
        check=False,
        cwd=cdk.ROOT,
        env={**plane.environment(), **environ},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout + ran.stderr


def _outputs(plane: ExampleControlPlane) -> dict[str, str]:
    (stack,) = plane.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def _variables(plane: ExampleControlPlane) -> dict[str, str]:
    name = _outputs(plane)["FunctionName"]
    config = plane.client("lambda").get_function_configuration(FunctionName=name)
    return dict(config["Environment"]["Variables"])


def _deployed(plane: ExampleControlPlane) -> dict[str, Any]:
    (stack,) = plane.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
    outputs = _outputs(plane)
    function = plane.client("lambda").get_function_configuration(FunctionName=outputs["FunctionName"])
    return {
        "updated": stack.get("LastUpdatedTime"),
        "modified": function["LastModified"],
        "url": outputs["FunctionUrl"],
    }


def _uploaded(plane: ExampleControlPlane) -> set[str]:
    s3 = plane.client("s3")
    (bucket,) = (one["Name"] for one in s3.list_buckets()["Buckets"] if "assets" in one["Name"])
    return {found["Key"] for found in s3.list_objects_v2(Bucket=bucket).get("Contents", ())}


def _all_that_is_told(plane: ExampleControlPlane) -> str:
    """What the control plane tells of the stack, to whoever may look but not read secrets."""
    cloudformation, function = plane.client("cloudformation"), plane.client("lambda")
    told = [
        cloudformation.describe_stacks(),
        cloudformation.describe_stack_events(StackName=STACK),
        cloudformation.get_template(StackName=STACK),
        [
            function.get_function(FunctionName=one["FunctionName"])
            for one in function.list_functions()["Functions"]
        ],
        plane.client("secretsmanager").list_secrets(),
        plane.client("ssm").describe_parameters(),
        [path.read_text("utf-8") for path in Path(plane.scratch).rglob("*.json")],
    ]
    return str(told)


def _left(plane: ExampleControlPlane) -> dict[str, Any]:
    """What the control plane still holds that belonged to the stack."""
    found = {
        "functions": plane.client("lambda").list_functions()["Functions"],
        "layers": plane.client("lambda").list_layers()["Layers"],
        "log groups": plane.client("logs").describe_log_groups()["logGroups"],
        "alarms": plane.client("cloudwatch").describe_alarms()["MetricAlarms"],
        "dashboards": plane.client("cloudwatch").list_dashboards()["DashboardEntries"],
        "topics": plane.client("sns").list_topics()["Topics"],
        "roles": [role for role in plane.client("iam").list_roles()["Roles"] if STACK in role["RoleName"]],
        "buckets": [one for one in plane.client("s3").list_buckets()["Buckets"] if STACK in one["Name"]],
    }
    return {kind: things for kind, things in found.items() if things}
