"""Runs a script in a process of its own, without loading the large libraries once more for each."""

import atexit
import functools
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ENVIRONMENT = {"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parents[4])}
"""What every script needs."""


def run(*words, **environment):
    """The exit code, the standard output and the standard error of a script of this folder."""
    script, *arguments = words
    line = {
        "words": [str(Path(__file__).with_name(script)), *arguments],
        "environment": {**ENVIRONMENT, **environment},
    }
    server = _server()
    with tempfile.TemporaryDirectory() as folder:
        server.stdin.write(json.dumps({**line, "folder": folder}) + "\n")
        server.stdin.flush()
        code = int(server.stdout.readline())
        return code, *(Path(folder, name).read_text("utf-8") for name in ("out", "err"))


@functools.cache
def _server():
    """The process that runs all scripts of this test run."""
    process = subprocess.Popen(
        [sys.executable, Path(__file__).with_name("fork_server.py")],
        env=ENVIRONMENT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    atexit.register(process.communicate)
    return process
