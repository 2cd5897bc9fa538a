"""A misspelled command names the commands that exist."""

import subprocess
import sys
from pathlib import Path

import pytest

from tools.command import Failure
from tools.hatch_environments import DefaultEnvironmentCollector, requested_command
from tools.unknown_command import main

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["run", "dmeo"], "dmeo"),
        (["-q", "run", "dmeo", "--json"], "dmeo"),
        (["run", "+py=3.13", "build-layer"], "build-layer"),
        (["run", "test:pytest", "-q"], None),
        (["run", "echo a && echo b"], None),
        (["run"], None),
        (["env", "create"], None),
    ],
)
def test_the_requested_command_is_the_first_plain_word_after_run(
    arguments: list[str], name: str | None
) -> None:
    assert requested_command(arguments) == name


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("dmeo", "hatch run dmeo: no such command. Did you mean demo or deploy? `hatch run help` lists"),
        ("build", "hatch run build: no such command. Did you mean build-layers? `hatch run help` lists"),
        ("xyzzy", "hatch run xyzzy: no such command. `hatch run help` lists the commands"),
    ],
)
def test_an_unknown_command_names_similar_commands(name: str, message: str) -> None:
    with pytest.raises(Failure, match="no such command") as failure:
        main([name])
    assert str(failure.value).startswith(message)


def test_a_program_of_the_environment_still_runs() -> None:
    command = [sys.executable, "-m", "tools.unknown_command", "ruff", "--version"]
    result = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert result.stdout.startswith("ruff ")


@pytest.mark.parametrize(
    ("name", "added"), [("dmeo", ["dmeo"]), ("demo", []), ("python3", []), ("test:dmeo", [])]
)
def test_only_an_unknown_name_becomes_a_script(
    name: str, added: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["hatch", "run", name])
    environments = {"default": {"scripts": {"demo": "python"}}, "test": {}}
    DefaultEnvironmentCollector(str(ROOT), {}).finalize_environments(environments)
    assert [script for script in environments["default"]["scripts"] if script != "demo"] == added
    assert environments["test"] == {}
