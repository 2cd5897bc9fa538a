"""Without a loopback interface, as in a new network namespace, the local cloud stops with one line."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
UNSHARE = ["unshare", "--net", "--map-root-user"]

pytestmark = pytest.mark.skipif(
    not shutil.which("unshare") or subprocess.run([*UNSHARE, "true"], check=False).returncode != 0,
    reason="this machine does not create network namespaces",
)


@pytest.mark.parametrize("command", ["demo", "serve"])
def test_it_is_one_line_with_a_remedy(command: str) -> None:
    ran = subprocess.run(
        [*UNSHARE, sys.executable, "-m", "tools.local", command],
        check=False,
        capture_output=True,
        encoding="utf-8",
        cwd=ROOT,
    )
    assert ran.returncode == 1
    assert "Traceback" not in ran.stderr
    assert ran.stderr.splitlines()[-1].startswith("error: the loopback interface cannot be used (")
    assert "enable it with `ip link set lo up`" in ran.stderr
