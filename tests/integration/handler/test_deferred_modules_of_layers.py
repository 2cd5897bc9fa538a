"""The delayed modules of the built layers behave as the original ones once they are used."""

import json
import subprocess

import pytest

FORCE = """
import json, sys
if "deferred" in sys.argv:
    from traced_agent.cold_start import startup
import boto3, opentelemetry.instrumentation.dependencies as dependencies, strands.agent.agent as agent
from strands.agent import Agent
names = ("boto3.compat", "packaging.requirements", "strands.tools.watcher")
executed = [name for name in names if "__builtins__" in vars(sys.modules[name])]
boto3._warn_deprecated_python()
try:
    dependencies.Requirement("not a requirement!")
except dependencies.InvalidRequirement as error:
    invalid = type(error).__name__
conflict = dependencies.get_dependency_conflicts(["boto3 < 1", "strands-agents >= 1", "??"])
watcher = agent.ToolWatcher(tool_registry=agent.ToolRegistry())
print(json.dumps({
    "executed": executed,
    "invalid": invalid,
    "conflict": str(conflict),
    "watcher": f"{type(watcher).__module__}.{type(watcher).__qualname__}",
    "compat": sorted(name for name in dir(sys.modules["boto3.compat"]) if not name.startswith("__")),
    "types": [type(agent.ToolWatcher).__name__, type(dependencies.Requirement).__name__],
    "loaders": sorted({type(sys.modules[name]).__name__ for name in names}),
}))
"""


@pytest.fixture(scope="module")
def run(opt, source, target_python):
    """Runs the script with the function's paths; returns its result."""

    def run(*arguments):
        script = f"import sys; sys.path[:0] = {[str(source), str(opt / 'python')]!r}\n{FORCE}"
        command = [target_python, "-IB", "-W", "ignore", "-c", script, *arguments]
        done = subprocess.run(command, env={}, capture_output=True, encoding="utf-8", check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def test_the_delayed_modules_are_executed_at_their_first_use_and_then_equal_the_originals(run):
    deferred, original = run("deferred"), run()
    assert deferred.pop("executed") == []
    assert len(original.pop("executed")) == 3
    assert deferred == original
