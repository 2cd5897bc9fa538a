"""Every variant of the stack is deployed, queried and destroyed."""

import base64
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.options import Options
from tests.e2e.stack_variants import (
    COUNTED,
    STACK,
    VARIANTS,
    _answers,
)
from tests.example_agent.control_plane import CliControlPlane, ExampleControlPlane
from tests.example_agent.source import EXAMPLE_AGENT
from tools.aws import cdk
from tools.local.cloud.local_cloud import LocalCloud
from tools.local.control_plane.server import CREDENTIALS
from tools.local.fakes.langfuse_server import FakeLangfuse


@pytest.fixture(scope="module")
def cli_plane() -> Iterator[CliControlPlane]:
    with CliControlPlane() as plane:
        plane.bootstrap(plane.synthesize({}))
        yield plane


@pytest.fixture
def plane(request: pytest.FixtureRequest, name: str) -> CliControlPlane:
    """The CDK CLI deploys the variant with most options, the AWS API deploys the others."""
    found: CliControlPlane = request.getfixturevalue(
        "cli_plane" if name == "all at once" else "control_plane"
    )
    return found


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("credentials")
@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_is_deployed_answers_rejects_and_is_destroyed(name: str, plane: CliControlPlane) -> None:
    variant = VARIANTS[name]
    said: list[str] = []
    with LocalCloud(variant.context, control_plane=plane, log=said.append) as cloud:
        answer = _answers(cloud)
        assert cloud.langfuse.wait_for(answer["trace_id"])
        lines = [json.loads(line) for line in said if line.startswith("{")]
        variant.shows(cloud, lines)
        assert {name for line in lines for name in line} >= COUNTED
        assert cloud.langfuse.secret_key not in _visible_text(plane) + "".join(said) + str(answer)
        assert cloud.langfuse.secret_key not in str(cloud.langfuse.traces())

    assert _left(plane) == {}


@pytest.mark.usefixtures("credentials")
def test_traces_go_to_a_plain_collector_and_nowhere_else(control_plane: ExampleControlPlane) -> None:
    with FakeLangfuse(secret_key="sk-of-the-collector") as collector:
        keys = base64.b64encode(f"{collector.public_key}:{collector.secret_key}".encode()).decode()
        headers = json.dumps({"authorization": f"Basic {keys}"})
        control_plane.client("secretsmanager").create_secret(Name="otlp", SecretString=headers)
        endpoint = f"{collector.url}/api/public/otel/v1/traces"
        with LocalCloud(
            {"otlp_endpoint": endpoint, "otlp_headers_secret": "otlp"}, control_plane=control_plane
        ) as cloud:
            answer = _answers(cloud)

            assert collector.wait_for(answer["trace_id"])
            assert cloud.langfuse.attempts == 0
            assert answer["trace_url"] is None
            assert keys not in _visible_text(control_plane)

    assert _left(control_plane) == {}


def test_deploying_twice_changes_nothing_and_one_line_uploads_the_handler_alone(
    cli_plane: CliControlPlane, tmp_path: Path
) -> None:
    first = cli_plane.synthesize({})
    cli_plane.deploy(first)
    try:
        deployed, uploaded = _deployed(cli_plane), _uploaded(cli_plane)
        clone = shutil.copytree(EXAMPLE_AGENT, tmp_path / "clone")
        cli_plane.agent_source = clone
        cli_plane.deploy(cli_plane.synthesize({}))
        assert (_deployed(cli_plane), _uploaded(cli_plane)) == (deployed, uploaded)

        with (clone / "lambda_handler.py").open("a") as handler:
            handler.write("# one line more\n")
        cli_plane.deploy(cli_plane.synthesize({}))
        assert {key.rpartition(".")[2] for key in _uploaded(cli_plane) - uploaded} == {"zip", "json"}
        assert len(_uploaded(cli_plane) - uploaded) == 2  # the handler, and the template that names it
        assert _deployed(cli_plane)["url"] == deployed["url"]
    finally:
        cli_plane.agent_source = EXAMPLE_AGENT
        cli_plane.destroy(first)


def test_a_change_of_model_and_memory_keeps_the_url(cli_plane: CliControlPlane) -> None:
    first = cli_plane.synthesize({})
    before = cli_plane.deploy(first)["FunctionUrl"]
    try:
        changed = {"model_id": "us.amazon.nova-pro-v1:0", "memory_mb": "2048", "timeout_s": "60"}
        assert cli_plane.deploy(cli_plane.synthesize(changed))["FunctionUrl"] == before
    finally:
        cli_plane.destroy(first)


def test_the_commands_take_a_stack_from_deploy_to_destroy(cli_plane: CliControlPlane) -> None:
    keys = {"LANGFUSE_PUBLIC_KEY": "pk-lf-commands", "LANGFUSE_SECRET_KEY": "sk-lf-canary-of-the-commands"}
    said = _run(cli_plane, "tools.aws.deploy", "-c", "sessions=true", **keys)
    outputs = _outputs(cli_plane)
    try:
        assert f"curl {outputs['FunctionUrl']} -H 'Content-Type: application/json'" in said
        assert keys["LANGFUSE_SECRET_KEY"] not in said + _visible_text(cli_plane)
        assert _variables(cli_plane)["LANGFUSE_SECRET_ARN"] == Options().default_secret_name

        cli_plane.client("s3").put_object(Bucket=outputs["SessionBucket"], Key="a/conversation", Body=b"{}")
    finally:
        _run(cli_plane, "tools.aws.destroy", "--force", "-c", "sessions=true")
    assert _left(cli_plane) == {}
    kept = cli_plane.client("secretsmanager").get_secret_value(SecretId=Options().default_secret_name)[
        "SecretString"
    ]
    assert json.loads(kept) == keys


def _run(plane: CliControlPlane, module: str, *words: str, **environ: str) -> str:
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


def _outputs(plane: CliControlPlane) -> dict[str, str]:
    (stack,) = plane.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def _variables(plane: CliControlPlane) -> dict[str, str]:
    name = _outputs(plane)["FunctionName"]
    config = plane.client("lambda").get_function_configuration(FunctionName=name)
    return dict(config["Environment"]["Variables"])


def _deployed(plane: CliControlPlane) -> dict[str, Any]:
    (stack,) = plane.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
    outputs = _outputs(plane)
    function = plane.client("lambda").get_function_configuration(FunctionName=outputs["FunctionName"])
    return {
        "updated": stack.get("LastUpdatedTime"),
        "modified": function["LastModified"],
        "url": outputs["FunctionUrl"],
    }


def _uploaded(plane: CliControlPlane) -> set[str]:
    s3 = plane.client("s3")
    (bucket,) = (one["Name"] for one in s3.list_buckets()["Buckets"] if "assets" in one["Name"])
    return {found["Key"] for found in s3.list_objects_v2(Bucket=bucket).get("Contents", ())}


def _visible_text(plane: CliControlPlane) -> str:
    """What a caller can read of the stack without access to its secrets."""
    cloudformation, function = plane.client("cloudformation"), plane.client("lambda")
    visible = [
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
    return str(visible)


def _left(plane: CliControlPlane) -> dict[str, Any]:
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
