"""A process that answers requests and exports their traces."""

import json

from tests.unit.traced_agent.tracing import forked_script
from tools.local.fakes.langfuse_view import trace_view

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Asked:
    """One process that answered a request: its responses, its log, and the trace of the last response."""

    def __init__(self, langfuse, **variables):
        environment = {
            "AWS_LAMBDA_FUNCTION_NAME": "fn",
            "AWS_REGION": "us-east-1",
            "LANGFUSE_HOST": langfuse.url,
            "LANGFUSE_PUBLIC_KEY": langfuse.public_key,
            "LANGFUSE_SECRET_KEY": langfuse.secret_key,
            "TRACE_EXPORT_TIMEOUT_S": "30",
            **variables,
        }
        environment = {name: value for name, value in environment.items() if value is not None}
        self.code, output, errors = forked_script.run("one_request.py", **environment)
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
