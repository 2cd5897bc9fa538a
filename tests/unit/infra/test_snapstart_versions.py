"""With SnapStart, every change of what runs publishes a new version, and the alias moves to it."""

import json
from pathlib import Path
from typing import Any

import pytest

from layers import Layer
from tests.example_agent.source import EXAMPLE_AGENT

CHANGES = {
    "a variable": {"max_tokens": "100"},
    "the memory": {"memory_mb": "2048"},
}


@pytest.fixture
def version(new_app, tmp_path_factory):
    """Synthesizes the stack with SnapStart; returns the logical id of the version that `live` is on."""
    from infra.app import build

    def synthesize(layers: list[Layer], **context: str) -> str:
        out = tmp_path_factory.mktemp("cdk.out")
        app = new_app(out, snapstart="true", **context)
        build(app, {}, layers=layers, agents={"handler": EXAMPLE_AGENT})
        app.synth()
        return _version_of_the_alias(out)

    return synthesize


def _version_of_the_alias(out: Path) -> str:
    resources: dict[str, Any] = json.loads((out / "strands-langfuse-lambda.template.json").read_text())[
        "Resources"
    ]
    (alias,) = (one for one in resources.values() if one["Type"] == "AWS::Lambda::Alias")
    name = alias["Properties"]["FunctionVersion"]["Fn::GetAtt"][0]
    assert resources[name]["Type"] == "AWS::Lambda::Version"
    return str(name)


def test_the_same_stack_has_the_same_version(version, empty_layers) -> None:
    assert version(empty_layers) == version(empty_layers)


def test_a_changed_layer_gives_a_new_version(version, make_layers) -> None:
    assert version(make_layers(b"one")) != version(make_layers(b"two"))


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_the_function_gives_a_new_version(version, empty_layers, change: str) -> None:
    assert version(empty_layers) != version(empty_layers, **CHANGES[change])
