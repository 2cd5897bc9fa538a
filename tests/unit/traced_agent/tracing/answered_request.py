"""A process that answers requests and exports their traces."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tools.local.fakes.langfuse_view import trace_view

SCRIPT = Path(__file__).with_name("one_request.py")


CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Asked:
    """One process that answered a request: its responses, its log, and the trace of the last response."""

    def __init__(self, langfuse, **variables):
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(Path(__file__).parents[4]),
            "AWS_LAMBDA_FUNCTION_NAME": "fn",
            "AWS_REGION": "us-east-1",
            "LANGFUSE_HOST": langfuse.url,
            "LANGFUSE_PUBLIC_KEY": langfuse.public_key,
            "LANGFUSE_SECRET_KEY": langfuse.secret_key,
            "TRACE_EXPORT_TIMEOUT_S": "30",
            **variables,
        }
        environment = {name: value for name, value in environment.items() if value is not None}
        argv = [sys.executable, str(SCRIPT)]
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=240, check=False)
        self.log = done.stdout + done.stderr
        self.code = done.returncode
        lines = [line for line in done.stdout.splitlines() if line.startswith('{"success"')]
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
