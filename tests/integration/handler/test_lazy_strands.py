"""Strands, loaded lazily as the function does, is the Strands that it is otherwise."""

import json
import subprocess

import pytest

SAME = """
import sys
import lambda_handler

lazy = {name: module for name, module in list(sys.modules.items()) if type(module).__name__ == "_LazyPackage"}
assert {"strands", "strands.telemetry", "strands.experimental"} <= lazy.keys(), lazy
for package, module in lazy.items():
    asked = {name: getattr(module, name) for name in module.__spec__.loader_state}
    module.__spec__.loader.run(module)
    for name, value in asked.items():
        assert vars(module)[name] is value, (package, name)
    print(package, len(asked))
"""
"""Each name that is gathered lazily is what the package's own `__init__` gathers; says how many those are."""

EVERY = """
import importlib, json, pathlib, random, sys

if sys.argv[3] != "eager":
    from traced_agent.cold_start import startup
import strands

(root,) = map(pathlib.Path, strands.__path__)
modules = sorted(path.relative_to(root.parent).with_suffix("") for path in root.rglob("*.py"))
names = [".".join(module.parts).removesuffix(".__init__") for module in modules]
random.Random(sys.argv[3]).shuffle(names)
imported = []
for name in names:
    try:
        importlib.import_module(name)
        imported.append(name)
    except ImportError:
        pass
print(json.dumps(imported))
"""
"""Imports every module of Strands in a given order; some need packages that the layers do not contain."""


@pytest.fixture(scope="module")
def output_of(opt, source, target_python):
    """Runs a script with the function's paths; returns its output."""

    def run(script, *arguments):
        paths = "import sys; sys.path[:0] = sys.argv[1:3]\n"
        argv = [
            target_python,
            "-IB",
            "-W",
            "ignore",
            "-c",
            paths + script,
            source,
            opt / "python",
            *arguments,
        ]
        environment = {"AWS_REGION": "us-east-1", "BEDROCK_MODEL_ID": "us.anthropic.x"}
        done = subprocess.run(argv, env=environment, capture_output=True, encoding="utf-8", check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_every_name_is_the_same_object_as_in_strands(output_of):
    counts = {package: int(count) for package, count in map(str.split, output_of(SAME).splitlines()[-20:])}
    assert counts["strands"] > 20


@pytest.fixture(scope="module")
def eager(output_of):
    """The modules that can be imported without the lazy packages."""
    return set(json.loads(output_of(EVERY, "eager")))


@pytest.mark.parametrize("order", ["1", "2"])
def test_every_importable_module_of_strands_stays_importable_in_any_order(output_of, eager, order):
    lazy = set(json.loads(output_of(EVERY, order)))
    assert len(eager) > 200
    assert eager <= lazy


@pytest.mark.parametrize(
    "wanted",
    [
        "from strands.models import BedrockModel",
        "from strands.models.bedrock import BedrockModel",
        "from strands import tool, Agent",
        "from strands.tools.decorator import tool",
        "from strands.session import S3SessionManager",
        "from strands.telemetry import StrandsTelemetry",
        "from strands.hooks import HookProvider",
        "from strands.multiagent import GraphBuilder, Swarm",
        "from strands.experimental import steering",
        "import strands.types.content",
    ],
)
def test_an_agent_can_import_any_part_of_strands_first(output_of, wanted):
    assert output_of(f"from traced_agent import cold_start\n{wanted}\nprint('fine')") == "fine\n"
