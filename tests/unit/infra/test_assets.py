"""What is uploaded: the handler and the built layers, and nothing by accident."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from infra.agent_function import LayerError
from layers import Layer
from layers.function_asset import assemble
from tests.example_agent.source import EXAMPLE_AGENT


def _asset(out: Path) -> Path:
    (directory,) = (path for path in out.glob("asset.*") if path.is_dir())
    return directory


def test_the_function_is_the_assembled_asset_and_nothing_else(assembly, tmp_path) -> None:
    expected = tmp_path / "expected"
    expected.mkdir()
    assemble(EXAMPLE_AGENT, expected)
    files = {path.relative_to(expected): path.read_bytes() for path in expected.rglob("*") if path.is_file()}
    asset = _asset(assembly())

    assert {
        path.relative_to(asset): path.read_bytes() for path in asset.rglob("*") if path.is_file()
    } == files


def test_bytecode_next_to_the_source_changes_nothing(tmp_path, empty_layers) -> None:
    source = tmp_path / "src"
    shutil.copytree(EXAMPLE_AGENT, source, ignore=shutil.ignore_patterns("__pycache__"))
    clean = _synthesize(tmp_path / "clean", empty_layers, source)
    subprocess.run([sys.executable, "-m", "compileall", "-q", source], check=True)

    assert list(source.rglob("*.pyc"))
    assert _asset(_synthesize(tmp_path / "compiled", empty_layers, source)).name == _asset(clean).name


def test_one_changed_line_of_the_handler_changes_the_handlers_asset_only(tmp_path, empty_layers) -> None:
    source = tmp_path / "src"
    shutil.copytree(EXAMPLE_AGENT, source, ignore=shutil.ignore_patterns("__pycache__"))
    before = _uploads(_synthesize(tmp_path / "before", empty_layers, source))
    with (source / "lambda_handler.py").open("a") as handler:
        handler.write("# changed\n")
    after = _uploads(_synthesize(tmp_path / "after", empty_layers, source))

    assert len(before) == len(after) == 3
    assert len(before - after) == 1


def test_a_layer_not_built_names_the_command(tmp_path) -> None:
    with pytest.raises(LayerError, match=r"strands .*not built.*`hatch run build-layers`"):
        _synthesize(tmp_path / "out", [Layer("strands", tmp_path)])


def test_layers_that_were_not_checked_together_are_rejected(tmp_path, empty_layers) -> None:
    with pytest.raises(LayerError, match=r"strands has not passed its checks: run `hatch run check-layers`"):
        _synthesize(tmp_path / "out", empty_layers[:1])


def _synthesize(out: Path, layers: list[Layer], agent_source: Path = EXAMPLE_AGENT) -> Path:
    from aws_cdk import App

    from infra.app import build

    app = App(outdir=str(out))
    build(app, {}, layers=layers, agents={"handler": agent_source})
    app.synth()
    return out


def _uploads(out: Path) -> set[str]:
    files = json.loads((out / "strands-langfuse-lambda.assets.json").read_text())["files"]
    return {key for key, file in files.items() if "template" not in file["source"]["path"]}
