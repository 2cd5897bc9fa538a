"""`--help` describes a command and has no side effects."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tools.bench.__main__ import parse
from tools.help import GROUPS

ROOT = Path(__file__).parents[2]
SCRIPTS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["envs"]["default"][
    "scripts"
]
COMMANDS = {
    "deploy": "tools.aws.deploy",
    "destroy": "tools.aws.destroy",
    "invoke": "tools.aws.invoke",
    "logs": "tools.aws.logs",
    "status": "tools.aws.status",
    "put-secret": "tools.aws.put_secret",
    "replay-traces": "tools.aws.replay_traces",
    "check-stack": "tools.aws.check_stack",
    "demo": "tools.local demo",
    "local": "tools.local serve",
    "lock-layers": "tools.build_layers lock",
    "build-layers": "tools.build_layers build",
    "check-layers": "tools.build_layers check",
    "evaluate": "tools.evaluate",
    "clean-cache": "tools.clean_cache",
    "test": "tools.run_tests",
    "check": "tools.code_checks check",
    "lint": "tools.code_checks lint",
    "format": "tools.code_checks format",
}


@pytest.mark.parametrize(
    ("name", "flag"), [*((name, "--help") for name in COMMANDS), ("destroy", "-h"), ("test", "-h")]
)
def test_help_describes_the_command_and_changes_nothing(name: str, flag: str, tmp_path: Path) -> None:
    unusable = {**os.environ, "PATH": "", "AWS_ENDPOINT_URL": "http://127.0.0.1:1", "HOME": str(tmp_path)}
    ran = subprocess.run(
        [sys.executable, "-m", *COMMANDS[name].split(), flag],
        check=False,
        capture_output=True,
        encoding="utf-8",
        cwd=ROOT,
        env=unusable,
        stdin=subprocess.DEVNULL,
    )

    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ""
    for words in (f"usage: hatch run {name}", "options:", f"example: hatch run {name}"):
        assert words in ran.stdout
    assert list(tmp_path.iterdir()) == []


def test_the_help_of_the_measurements_has_the_same_form(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(["--help"])

    assert ended.value.code == 0
    printed = capsys.readouterr().out
    for words in ("usage: hatch run bench", "options:", "example: hatch run bench"):
        assert words in printed


@pytest.mark.parametrize("name", COMMANDS)
def test_help_runs_no_earlier_step(name: str) -> None:
    assert COMMANDS[name] in SCRIPTS[name]


def test_help_lists_every_command_once() -> None:
    listed = [name for group in GROUPS.values() for name in group]

    assert sorted(listed) == sorted(set(SCRIPTS) - {"help"})
