"""The description of the app agrees with the CDK's assembly, and needs neither layers nor the CDK."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra import describe
from infra.app import AGENTS, build, records
from infra.context import read
from infra.options import Options
from tests.example_agent.source import EXAMPLE_AGENT
from tools.aws import assembly

ROOT = Path(__file__).parents[3]
QUALIFIER = "@aws-cdk/core:bootstrapQualifier"
CONTEXTS = [
    {},
    {"stack_name": "support-prod", "region": "eu-west-1", "model_id": "eu.a.model", "auth": "iam"},
    {QUALIFIER: "acme", "langfuse_secret": "my/own-secret"},
]


def described(folder: Path, context: dict[str, str], agents=AGENTS) -> assembly.Assembly:
    folder.mkdir(parents=True)
    describe.write(folder, list(records(read(Options, context, {}), agents)), context)
    return assembly.read(folder)


@pytest.mark.parametrize("context", CONTEXTS)
def test_it_agrees_with_the_synthesized_assembly(tmp_path, new_app, empty_layers, context) -> None:
    app = new_app(tmp_path / "cdk", **context)
    build(app, {}, layers=empty_layers, agents={"handler": EXAMPLE_AGENT})
    app.synth()
    ours = described(tmp_path / "ours", context, {"handler": EXAMPLE_AGENT})
    theirs = assembly.read(tmp_path / "cdk")

    assert list(ours.stacks) == list(theirs.stacks)
    artifacts = json.loads((tmp_path / "ours" / "manifest.json").read_text())["artifacts"]
    for name, artifact in artifacts.items():
        synthesized = json.loads((tmp_path / "cdk" / "manifest.json").read_text())["artifacts"][name]
        for key in ("assumeRoleArn", "cloudFormationExecutionRoleArn", "bootstrapStackVersionSsmParameter"):
            assert artifact["properties"][key] == synthesized["properties"][key]


def test_each_agent_has_its_stack_and_the_first_is_the_default(tmp_path) -> None:
    agents = {"handler": EXAMPLE_AGENT, "support": EXAMPLE_AGENT}
    found = described(tmp_path / "out", {"stack_name": "acme"}, agents)

    source = "tests/example_agent/src"
    assert [(stack.name, stack.agent, stack.source) for stack in found.stacks] == [
        ("acme", "handler", source),
        ("acme-support", "support", source),
    ]
    assert found.select().name == "acme"
    assert found.select("support").name == "acme-support"
    with pytest.raises(assembly.Failure, match="there is no agent sales: use one of handler, support"):
        found.select("sales")


def test_a_second_agent_is_a_second_stack_of_the_app(tmp_path, new_app, empty_layers) -> None:
    app = new_app(tmp_path)
    stacks = build(app, {}, layers=empty_layers, agents={"handler": EXAMPLE_AGENT, "support": EXAMPLE_AGENT})

    assert [stack.stack_name for stack in stacks] == [Options().stack_name, f"{Options().stack_name}-support"]
    assert [stack.agent.name for stack in stacks] == ["handler", "support"]


def test_it_is_written_without_importing_the_cdk(tmp_path) -> None:
    code = (
        "import sys; from infra.app import main; assert main(['--describe']) == 0; "
        "assert not {'aws_cdk', 'jsii'} & set(sys.modules)"
    )
    environ = {**os.environ, "CDK_OUTDIR": str(tmp_path), "CDK_CONTEXT_JSON": '{"stack_name": "acme"}'}
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, env=environ)

    assert assembly.read(tmp_path).select().name == "acme"


def test_a_long_context_is_read_from_its_file(tmp_path) -> None:
    file = tmp_path / "context.json"
    file.write_text('{"auth": "iam"}')
    environ = {"CDK_CONTEXT_JSON": '{"region": "us-west-2"}', "CONTEXT_OVERFLOW_LOCATION_ENV": str(file)}

    assert describe.context(environ) == {"region": "us-west-2", "auth": "iam"}
