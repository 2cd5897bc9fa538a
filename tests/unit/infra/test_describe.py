"""The description of the app agrees with the CDK's assembly, and needs neither layers nor the CDK."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra import describe
from infra.app import AGENTS, build, records
from infra.context import ContextError, read
from infra.options import Options
from tests.example_agent.source import EXAMPLE_AGENT
from tools.aws import assembly, cdk

ROOT = Path(__file__).parents[3]
QUALIFIER = "@aws-cdk/core:bootstrapQualifier"
CONTEXTS = [
    {},
    {"stack_name": "support-prod", "region": "eu-west-1", "model_id": "eu.a.model", "auth": "iam"},
    {QUALIFIER: "acme", "langfuse_secret": "my/own-secret"},
]
CLI_CONTEXT = """
import json, os, pathlib
context = json.loads(os.environ["CDK_CONTEXT_JSON"])
if file := os.environ.get("CONTEXT_OVERFLOW_LOCATION_ENV"):
    context |= json.loads(pathlib.Path(file).read_text("utf-8"))
pathlib.Path("passed.json").write_text(json.dumps(context))
"""
"""An app that writes what the CLI passes to it, which is in a file if it is long."""
CLI_PREFIXES = ("aws:cdk:", "@aws-cdk/core:")
"""The prefixes of the keys that the CLI adds."""


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
        "import sys; from infra.app import main; assert main(sys.argv[1:]) == 0; "
        "assert not {'aws_cdk', 'jsii'} & set(sys.modules)"
    )
    words = ["--describe", str(tmp_path), "-c", "stack_name=acme"]
    subprocess.run([sys.executable, "-c", code, *words], check=True, cwd=ROOT)

    assert assembly.read(tmp_path).select().name == "acme"


def test_the_context_is_the_one_that_the_cli_passes_to_the_app(tmp_path) -> None:
    root, home = tmp_path / "root", tmp_path / "home"
    root.mkdir()
    home.mkdir()
    keys = ["command", "project", "lookup", "user"]
    long = {f"acme:{number}": "x" * 1000 for number in range(200)}
    (home / ".cdk.json").write_text(json.dumps({"context": dict.fromkeys(keys, "user")}))
    (root / "cdk.context.json").write_text(json.dumps(dict.fromkeys(keys[:3], "lookup")))
    (root / "cdk.json").write_text(
        "\ufeff" + json.dumps({"context": {**dict.fromkeys(keys[:2], "project"), "flags": [True], **long}})
    )
    app = root / "app.py"
    app.write_text(CLI_CONTEXT)
    words = ["synth", "--quiet", "--no-notices", "-c", "command=a=b", "--app", f"{sys.executable} {app}"]
    environ = {**os.environ, "HOME": str(home), "USERPROFILE": str(home), "CDK_HOME": str(home)}
    subprocess.run(cdk.command(*words), cwd=root, env=environ, capture_output=True, check=False)
    passed = json.loads((root / "passed.json").read_text())
    passed = {key: value for key, value in passed.items() if not key.startswith(CLI_PREFIXES)}

    assert describe.context(["command=a=b"], root, home) == passed
    assert {key: passed[key] for key in keys} == {
        "command": "a=b",
        "project": "project",
        "lookup": "lookup",
        "user": "user",
    }


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("cdk.json", "{", r"cdk\.json cannot be read \("),
        ("cdk.json", '{"context": 1}', r"context in .*cdk\.json is no JSON object"),
        ("cdk.context.json", "[1]", r"cdk\.context\.json is no JSON object"),
    ],
)
def test_an_invalid_file_or_pair_is_one_line(tmp_path, file, content, says) -> None:
    (tmp_path / file).write_text(content)
    with pytest.raises(ContextError, match=says):
        describe.context([], tmp_path, tmp_path / "home")
    with pytest.raises(ContextError, match="invalid context auth: use -c KEY=VALUE"):
        describe.context(["auth"], tmp_path / "empty", tmp_path / "home")
