"""The stack against cdk-nag's AWS Solutions pack, which lives in an environment of its own."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_pack_finds_nothing_that_is_not_acknowledged_beside_its_resource() -> None:
    environ = {name: os.environ[name] for name in os.environ if not name.startswith(("HATCH_ENV", "UV_"))}
    hatch = [sys.executable, "-m", "hatch", "run", "nag:check"]
    ran = subprocess.run(
        hatch, check=False, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=300
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "nothing to say" in ran.stdout
