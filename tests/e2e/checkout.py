"""A new user's clone of this repository."""

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


class Checkout:
    """A clone of this checkout, with its uncommitted changes and environments of its own."""

    def __init__(self, folder):
        self.folder = folder / "strands-langfuse-lambda"
        self.agent = self.folder / "packages" / "handler" / "src" / "agent.py"
        self.tools = self.agent.with_name("agent_tools.py")
        self._environ = {**os.environ, "HATCH_DATA_DIR": str(folder / "hatch")}
        self._git("clone", "--quiet", ".", str(self.folder))
        for line in self._git("status", "--porcelain", "--no-renames", "--untracked-files=all").splitlines():
            self._copy(line[3:].strip('"'))

    def _git(self, *words):
        return subprocess.run(
            ["git", *words], cwd=ROOT, check=True, capture_output=True, encoding="utf-8"
        ).stdout

    def _copy(self, name):
        target = self.folder / name
        if (ROOT / name).exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target)
        else:
            target.unlink(missing_ok=True)

    def run(self, *words):
        """Run a command to its end; its standard output."""
        process = subprocess.run(
            words,
            cwd=self.folder,
            env=self._environ,
            check=False,
            capture_output=True,
            encoding="utf-8",
            timeout=900,
        )
        assert process.returncode == 0, process.stdout + process.stderr
        return process.stdout

    def start(self, *words):
        return subprocess.Popen(
            words,
            cwd=self.folder,
            env=self._environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            start_new_session=True,
        )
