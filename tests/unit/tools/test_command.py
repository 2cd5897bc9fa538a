"""What every command does the same way."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PROGRAM = """
from tools.command import Failure, run

def main():
    {does}

run(main)
"""


def command(does: str, **streams: int) -> subprocess.Popen[str]:
    program = PROGRAM.format(does=does)
    return subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, encoding="utf-8", stderr=subprocess.PIPE, **streams
    )


@pytest.mark.parametrize(
    ("does", "code", "says"),
    [
        ("return 0", 0, ""),
        ("return 3", 3, ""),
        ("raise Failure('no [layer] is built: build it')", 1, "error: no [layer] is built: build it\n"),
        ("raise KeyboardInterrupt", 130, ""),
    ],
)
def test_a_command_ends_with_its_code_and_at_most_one_line(does: str, code: int, says: str) -> None:
    with command(does) as process:
        assert process.stderr
        assert process.stderr.read() == says
    assert process.returncode == code


def test_a_client_that_stops_reading_gets_no_more_events() -> None:
    with command("print('line' * 100_000)", stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.read(1)
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 1
