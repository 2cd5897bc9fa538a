"""A process that answers requests and exports their traces."""

import atexit
import functools
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tools.local.fakes.langfuse_view import trace_view

ROOT = Path(__file__).parents[4]
ENVIRONMENT = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@functools.cache
def _forking_process():
    """The process that starts all requests of this test run."""
    script = Path(__file__).with_name("forked_requests.py")
    process = subprocess.Popen(
        [sys.executable, script],
        env=ENVIRONMENT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    atexit.register(process.communicate)
    return process


def _run(environment):
    """The exit code, the standard output and the standard error of `one_request.py`."""
    process = _forking_process()
    with tempfile.TemporaryDirectory() as folder:
        process.stdin.write(json.dumps({"environment": environment, "folder": folder}) + "\n")
        process.stdin.flush()
        code = int(process.stdout.readline())
        return code, *(Path(folder, name).read_text("utf-8") for name in ("out", "err"))


class Asked:
    """One process that answered a request: its responses, its log, and the trace of the last response."""

    def __init__(self, langfuse, **variables):
        environment = {
            **ENVIRONMENT,
            "AWS_LAMBDA_FUNCTION_NAME": "fn",
            "AWS_REGION": "us-east-1",
            "LANGFUSE_HOST": langfuse.url,
            "LANGFUSE_PUBLIC_KEY": langfuse.public_key,
            "LANGFUSE_SECRET_KEY": langfuse.secret_key,
            "TRACE_EXPORT_TIMEOUT_S": "30",
            **variables,
        }
        environment = {name: value for name, value in environment.items() if value is not None}
        self.code, output, errors = _run(environment)
        self.log = output + errors
        lines = [line for line in output.splitlines() if line.startswith('{"success"')]
        self.bodies = [json.loads(line) for line in lines]
        self.langfuse = langfuse

    @property
    def body(self):
        assert self.bodies, self.log
        return self.bodies[-1]

    @property
    def view(self):
        """The last trace as Langfuse shows it."""
        return trace_view(self.langfuse.traces()[-1])

    def observation(self, name):
        return next(each for each in self.view["observations"] if each["name"].startswith(name))
