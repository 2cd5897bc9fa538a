"""The project's commands, as `hatch run` finds them."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tools import code_checks, run_tests
from tools.local import __main__ as local_commands
from tools.local.commands import options

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
ENVIRONMENT = PROJECT["tool"]["hatch"]["envs"]["default"]
SCRIPTS = ENVIRONMENT["scripts"]
COMMANDS = [
    "lock-layers",
    "build-layers",
    "check-layers",
    "demo",
    "local",
    "cdk",
    "deploy",
    "destroy",
    "put-secret",
    "invoke",
    "logs",
    "status",
    "check-stack",
    "help",
    "clean-cache",
    "replay-traces",
    "test",
    "check",
    "lint",
    "format",
    "bench",
]

ELSEWHERE = """
import platform, sys

platform.machine = lambda: "arm64"
import pytest

sys.exit(pytest.main(sys.argv[1:]))
"""


def passes_on(script):
    last = script if isinstance(script, str) else script[-1]
    return "{args" in last or (last in SCRIPTS and passes_on(SCRIPTS[last]))


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_passes_its_arguments(name):
    assert passes_on(SCRIPTS[name])


def steps_of(*arguments, fails_at=None):
    """The steps that a command of `code_checks` runs; the one that has `fails_at` in it fails with 3."""
    executed = []

    def execute(step):
        executed.append(list(step))
        return 3 if fails_at in step else 0

    return code_checks.main(arguments, execute), executed


def test_arguments_are_passed_only_to_the_step_that_they_are_for():
    code, (*others, tests) = steps_of("check", "tests/unit", "-k", "deploy")
    assert (code, tests[-4:]) == (0, ["tools.run_tests", "tests/unit", "-k", "deploy"])
    assert [step for step in others if "deploy" in step] == []
    assert [step[-1] for step in steps_of("format", "a.py")[1]] == ["a.py", "a.py"]


def test_check_runs_everything_that_lint_runs_then_the_lock_check_and_the_tests():
    _, lint = steps_of("lint")
    _, check = steps_of("check")
    assert [step[0] for step in lint] == ["ruff", "ruff", "mypy", "lint-imports"]
    assert check[: len(lint)] == lint
    assert [step[2:] for step in check[len(lint) :]] == [
        ["tools.build_layers", "lock", "--check"],
        ["tools.run_tests"],
    ]


def test_the_first_step_that_fails_ends_the_command_with_its_code():
    code, executed = steps_of("check", fails_at="mypy")
    assert (code, executed[-1]) == (3, ["mypy"])


def test_lint_takes_no_arguments():
    with pytest.raises(SystemExit) as ended:
        steps_of("lint", "tests")
    assert ended.value.code == 2


@pytest.mark.parametrize("command", ["demo", "serve"])
def test_the_local_cloud_builds_its_layers_first_and_its_help_builds_nothing(command):
    built = []
    arguments = local_commands.parser().parse_args([command])
    options.local_cloud(arguments, options.Progress(), build=lambda words: built.append(words) or 0)
    assert built == [["build", "--quiet"]]

    with pytest.raises(SystemExit) as ended:
        local_commands.parser().parse_args([command, "--help"])
    assert ended.value.code == 0
    assert SCRIPTS[{"demo": "demo", "serve": "local"}[command]] == f"python -m tools.local {command} {{args}}"


def test_the_tests_run_after_the_layers_are_built_and_take_pytests_arguments():
    executed = []
    assert run_tests.main(["tests/unit", "-k", "deploy"], lambda command: executed.append(command) or 0) == 0
    build, pytest_command = executed
    assert build[1:] == ["-m", "tools.build_layers", "build"]
    assert pytest_command[-3:] == ["tests/unit", "-k", "deploy"]


@pytest.mark.parametrize(("cores", "processes"), [(1, 2), (2, 3), (16, 8)])
def test_the_tests_run_in_one_process_more_than_there_are_cores(cores, processes):
    assert run_tests.processes(cores) == processes


def test_no_test_runs_if_the_build_failed():
    executed = []
    assert run_tests.main([], lambda command: executed.append(command) or 3) == 3
    assert len(executed) == 1


def test_commands_run_from_any_folder():
    variables = ENVIRONMENT["env-vars"]

    assert variables["PYTHONPATH"] == "{root}"
    assert all(path.startswith("{root:uri}/") for path in variables["UV_CONSTRAINT"].split())


def test_no_script_has_the_name_of_the_program_that_it_calls():
    for name, script in SCRIPTS.items():
        steps = [script] if isinstance(script, str) else script
        assert name not in [step.split()[0] for step in steps]


@pytest.mark.parametrize(
    ("tests", "code"), [("tests/e2e/test_readme.py", 1), ("tests/unit/test_import_direction.py", 0)]
)
def test_tests_say_in_one_line_where_they_do_not_run(tests, code):
    command = [sys.executable, "-c", ELSEWHERE, "--collect-only", "-q", tests]
    ran = subprocess.run(command, check=False, capture_output=True, encoding="utf-8", cwd=ROOT)

    assert ran.returncode == code, ran.stdout + ran.stderr
    assert ("use Linux x86-64 (WSL works)" in ran.stdout + ran.stderr) is bool(code)
    assert "Traceback" not in ran.stdout + ran.stderr


def test_the_libraries_that_write_the_template_are_pinned_to_exact_versions():
    pinned = {"aws-cdk-lib", "constructs"}
    exact = {
        name for name in ENVIRONMENT["dependencies"] if name.partition("==")[0] in pinned and "==" in name
    }

    assert len(exact) == len(pinned)
