"""Two stacks in one account: each command touches only its own."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import httpx
import pytest
from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_dynamodb as dynamodb

from tests.e2e.stack_state import left, outputs, visible_text
from tests.example_agent.control_plane import ExampleControlPlane
from tools.aws import cdk
from tools.aws.account import Account
from tools.aws.function_client import FunctionClient
from tools.local.cloud.local_cloud import LocalCloud
from tools.local.control_plane.server import CREDENTIALS
from tools.local.fakes.langfuse_records import PROJECT_ID
from tools.local.fakes.langfuse_server import FakeLangfuse

ONE, TWO = "support-prod", "support-test"
PUBLIC_KEY, SECRET_KEY = "pk-lf-two", "sk-lf-canary-of-two-stacks"
KEYS = {"LANGFUSE_PUBLIC_KEY": PUBLIC_KEY, "LANGFUSE_SECRET_KEY": SECRET_KEY}


class Commands:
    """Runs the commands as a user does, against the control plane and a fake Langfuse."""

    def __init__(self, plane: ExampleControlPlane, langfuse: FakeLangfuse) -> None:
        self.plane = plane
        self.langfuse = langfuse

    def run(self, module: str, *words: str, code: int = 0, **environ: str) -> str:
        """The output of a command that ends with a code."""
        ran = subprocess.run(
            [sys.executable, "-m", f"tools.aws.{module}", *words],
            check=False,
            cwd=cdk.ROOT,
            env={**self.plane.environment(), "LANGFUSE_HOST": self.langfuse.url, **environ},
            capture_output=True,
            stdin=subprocess.DEVNULL,
            encoding="utf-8",
            timeout=600,
        )
        assert ran.returncode == code, ran.stdout + ran.stderr
        return ran.stdout + ran.stderr

    def stacks(self) -> set[str]:
        """The names of the deployed stacks, without the CDK's own."""
        found = self.plane.client("cloudformation").describe_stacks()["Stacks"]
        live = {stack["StackName"] for stack in found if stack["StackStatus"] != "DELETE_COMPLETE"}
        return live - {"CDKToolkit"}

    def template(self, stack: str) -> dict[str, Any]:
        """The deployed template of a stack."""
        body = self.plane.client("cloudformation").get_template(StackName=stack)["TemplateBody"]
        return dict(json.loads(body)) if isinstance(body, str) else dict(body)


@pytest.fixture(scope="module")
def commands(bootstrapped) -> Iterator[Commands]:
    with bootstrapped() as plane, FakeLangfuse(public_key=PUBLIC_KEY, secret_key=SECRET_KEY) as langfuse:
        yield Commands(plane, langfuse)


def _words(**context: str) -> tuple[str, ...]:
    return tuple(word for key, value in context.items() for word in ("-c", f"{key}={value}"))


def test_two_stacks_are_deployed_changed_compared_and_destroyed(commands: Commands) -> None:
    one = _words(stack_name=ONE, auth="iam", sessions="true")
    two = _words(stack_name=TWO, memory_mb="2048")
    told = commands.run("deploy", *one, **KEYS)
    assert "--aws-sigv4 aws:amz:us-east-1:lambda" in told
    assert f"hatch run invoke -c stack_name={ONE}" in told

    refused = commands.run("deploy", *two, code=1, **KEYS)
    assert f"stack_name from {ONE} to {TWO}" in refused
    assert "pass --yes" in refused
    assert commands.stacks() == {ONE}
    told = commands.run("deploy", *two, "--yes", **KEYS)
    found = outputs(commands.plane, TWO)
    assert f"curl {found['FunctionUrl']} -H 'Content-Type: application/json'" in told
    assert "--aws-sigv4" not in told
    assert SECRET_KEY not in told + visible_text(commands.plane, TWO)
    function = commands.plane.client("lambda").get_function_configuration(FunctionName=found["FunctionName"])
    assert function["Environment"]["Variables"]["LANGFUSE_SECRET_ARN"] == f"{TWO}/langfuse"
    assert commands.stacks() == {ONE, TWO}
    before = commands.template(TWO)
    assert f'"LANGFUSE_PROJECT_ID": "{PROJECT_ID}"' in json.dumps(before)

    # Deployed as it is: no difference, although the secret was found by the command.
    assert "There were no differences" in commands.run("run_cdk", "diff", *one)
    # Options that are left out would open the URL and delete the conversations.
    refused = commands.run("deploy", "-c", f"stack_name={ONE}", code=1)
    assert "everyone can call the URL" in refused
    assert "all conversations are deleted" in refused
    assert SECRET_KEY not in refused
    commands.langfuse.api_faults.inject("unavailable")
    url = outputs(commands.plane, ONE)["FunctionUrl"]
    one_changed = (*one, *_words(model_id="us.amazon.nova-pro-v1:0", memory_mb="512", timeout_s="60"))
    changed = commands.run("deploy", *one_changed)
    assert outputs(commands.plane, ONE)["FunctionUrl"] == url
    assert "warning: Langfuse was not checked" in changed
    assert "langfuse_project" not in changed  # the deployed project is kept
    commands.langfuse.api_faults.inject("ok")
    assert "memory_mb" in changed
    assert "1024" in changed
    assert commands.template(TWO) == before

    status = json.loads(commands.run("status", *one_changed, "--json"))
    assert (status["stack"], status["options"]["auth"], status["changes"]) == (ONE, "iam", {})
    assert f"{ONE} and {TWO} are: choose one" in commands.run("invoke", "2+2?", code=1)
    assert "keeps no conversations" in commands.run("invoke", "2+2?", *two, "--session", "s", code=1)
    assert "the local cloud prints the log where" in commands.run("logs", *two)

    _destroy_one_after_the_other(commands, one, two)


def _destroy_one_after_the_other(commands: Commands, one: Sequence[str], two: Sequence[str]) -> None:
    before = commands.template(TWO)
    bucket = outputs(commands.plane, ONE)["SessionBucket"]
    commands.plane.client("s3").put_object(Bucket=bucket, Key="a/conversation", Body=b"{}")
    commands.run("destroy", "--force", *one)
    assert commands.stacks() == {TWO}
    assert bucket not in [one["Name"] for one in commands.plane.client("s3").list_buckets()["Buckets"]]
    assert commands.template(TWO) == before
    commands.run("destroy", "--force", *two)
    assert commands.stacks() == set()
    assert left(commands.plane, ONE, TWO) == {}
    secrets = commands.plane.client("secretsmanager")
    names = [f"{ONE}/langfuse", f"{TWO}/langfuse"]
    assert sorted(secret["Name"] for secret in secrets.list_secrets()["SecretList"]) == names
    for name in names:
        assert json.loads(secrets.get_secret_value(SecretId=name)["SecretString"]) == KEYS


def _add_table(agent: Any) -> None:
    """Add a table to the agent of the first stack, as `infra/resources.py` does."""
    if Stack.of(agent).stack_name != ONE:
        return
    table = dynamodb.Table(
        agent,
        "Orders",
        partition_key=dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING),
        billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
        removal_policy=RemovalPolicy.DESTROY,
    )
    table.grant_read_write_data(agent.role)
    agent.function.add_environment("ORDERS_TABLE", table.table_name)


def test_two_stacks_are_queried_and_one_is_extended_with_a_table(
    bootstrapped: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    with contextlib.ExitStack() as stack:
        plane = stack.enter_context(bootstrapped())
        plane.add_resources = _add_table
        one = stack.enter_context(LocalCloud({"stack_name": ONE, "auth": "iam"}, control_plane=plane))
        two = stack.enter_context(LocalCloud({"stack_name": TWO}, control_plane=plane))

        answers = [_ask(one), _ask(two)]
        assert all(answer["success"] for answer in answers)
        assert httpx.post(one.url, json={"query": "2+2?"}, timeout=60).status_code == 403
        variables = [cloud.deployed.read({}).environment for cloud in (one, two)]
        (table,) = plane.client("dynamodb").list_tables()["TableNames"]
        assert variables[0]["ORDERS_TABLE"] == table
        assert "ORDERS_TABLE" not in variables[1]
        for cloud, answer in zip((one, two), answers, strict=True):
            assert cloud.langfuse.wait_for(answer["trace_id"])


def _ask(cloud: LocalCloud) -> dict[str, Any]:
    with httpx.Client(timeout=60) as client:
        return FunctionClient(client, Account()).ask(cloud.url, b'{"query": "What is 2+2?"}')
