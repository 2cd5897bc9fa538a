"""`hatch build` in packages/traced_agent gives a wheel that works in an environment of its own."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[3] / "packages" / "traced_agent"
AGENT = """
import json
from importlib.metadata import version

import traced_agent
from strands import Agent
from traced_agent import Settings, create_handler
from traced_agent.testing import ScriptedModel


def build_agent(model, *, callback_handler=None, session_manager=None):
    return Agent(model=model, callback_handler=callback_handler, session_manager=session_manager)


class Context:
    aws_request_id = "request"

    @staticmethod
    def get_remaining_time_in_millis():
        return 30_000


handler = create_handler(lambda settings, session: ScriptedModel("Good morning."), build_agent)
http = {"method": "POST", "path": "/"}
event = {"rawPath": "/", "headers": {}, "requestContext": {"http": http}, "body": '{"query": "Hello"}'}
response = handler(event, Context)
print(json.dumps({
    "file": traced_agent.__file__,
    "versions": [traced_agent.__version__, version("traced-agent")],
    "settings": Settings.__module__,
    "status": response["statusCode"],
    "response": json.loads(response["body"])["response"],
}))
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory, opt, target_python):
    """The Python of an environment with the built wheel; its dependencies are the layers' packages."""
    folder = tmp_path_factory.mktemp("wheel")
    package = shutil.copytree(PACKAGE, folder / "traced_agent", ignore=shutil.ignore_patterns("dist"))
    # A test runs in an environment of hatch, whose variables the inner hatch must not inherit.
    variables = {name: value for name, value in os.environ.items() if not name.startswith("HATCH_ENV")}
    _run([sys.executable, "-m", "hatch", "build", "--target", "wheel"], cwd=package, env=variables)
    [wheel] = package.glob("dist/*.whl")
    _run([target_python, "-m", "venv", "--without-pip", folder / "venv"])
    python = folder / "venv" / "bin" / "python"
    [site] = (folder / "venv").glob("lib/python*/site-packages")
    (site / "layers.pth").write_text(f"{opt / 'python'}\n")
    _run([sys.executable, "-m", "pip", "--python", python, "install", "--no-index", "--no-deps", wheel])
    return python


def _run(command, **options):
    ran = subprocess.run(command, capture_output=True, encoding="utf-8", check=False, **options)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_the_wheel_answers_a_request_in_its_own_environment(environment, tmp_path):
    settings = {"BEDROCK_MODEL_ID": "m", "AWS_REGION": "us-east-1", "LANGFUSE_TRACING_ENABLED": "false"}
    printed = json.loads(_run([environment, "-c", AGENT], cwd=tmp_path, env=settings).splitlines()[-1])
    assert "site-packages" in printed["file"]
    assert printed["versions"][0] == printed["versions"][1]
    assert (printed["status"], printed["response"]) == (200, "Good morning.")


def test_the_wheels_dependencies_are_met_by_the_layers(environment):
    assert "No broken requirements" in _run([sys.executable, "-m", "pip", "--python", environment, "check"])
