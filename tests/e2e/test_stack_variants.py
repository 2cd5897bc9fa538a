"""Every variant of the stack is deployed, queried and destroyed."""

import base64
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.stack_state import left, outputs, visible_text
from tests.e2e.stack_variants import COUNTED, STACK, VARIANTS, _answers
from tests.example_agent.control_plane import CliControlPlane, ExampleControlPlane
from tests.example_agent.source import EXAMPLE_AGENT
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
        assert cloud.langfuse.secret_key not in visible_text(plane, STACK) + "".join(said) + str(answer)
        assert cloud.langfuse.secret_key not in str(cloud.langfuse.traces())

    assert left(plane, STACK) == {}


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
            assert keys not in visible_text(control_plane, STACK)

    assert left(control_plane, STACK) == {}


def test_deploying_twice_changes_nothing_and_one_line_uploads_the_handler_alone(
    cli_plane: CliControlPlane, tmp_path: Path
) -> None:
    cli_plane.deploy(cli_plane.synthesize({}))
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


def _deployed(plane: CliControlPlane) -> dict[str, Any]:
    (stack,) = plane.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
    found = outputs(plane, STACK)
    function = plane.client("lambda").get_function_configuration(FunctionName=found["FunctionName"])
    return {
        "updated": stack.get("LastUpdatedTime"),
        "modified": function["LastModified"],
        "url": found["FunctionUrl"],
    }


def _uploaded(plane: CliControlPlane) -> set[str]:
    s3 = plane.client("s3")
    (bucket,) = (one["Name"] for one in s3.list_buckets()["Buckets"] if "assets" in one["Name"])
    return {found["Key"] for found in s3.list_objects_v2(Bucket=bucket).get("Contents", ())}
