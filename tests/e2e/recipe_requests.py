"""Recipes deployed to the local cloud, requests to them, and the traces of their runs."""

import contextlib
import json
import os
import shlex
import subprocess
import sys
import time

import httpx

from tools.aws.arguments import parser as deploy_parser
from tools.local import __main__ as local
from tools.local.cloud.local_cloud import LocalCloud


@contextlib.contextmanager
def served(plane, source, context, add_resources=None, secrets=None):
    """Serves the agent of a source folder, deployed with these options, resources and secrets.

    The control plane deploys the example agent again afterwards.
    """
    example, plane.agent_source, plane.add_resources = plane.agent_source, source, add_resources
    try:
        with LocalCloud(
            context, control_plane=plane, secrets=secrets, log=lambda line: print(line, file=sys.stderr)
        ) as cloud:
            yield cloud
    finally:
        plane.agent_source, plane.add_resources = example, None


def context_of(command):
    """The CDK context of a `hatch run local` or `hatch run deploy` command, read by its own parser."""
    _, _, script, *words = shlex.split(command)
    if script == "local":
        return dict(local.parser().parse_args(["serve", *words]).context)
    assert script == "deploy", command
    return dict(pair.split("=", 1) for pair in deploy_parser("deploy", "", "").parse_args(words).context)


def ask(cloud, query, headers=None):
    return httpx.post(cloud.url, json={"query": query}, headers=headers, timeout=60, trust_env=False)


def run_curl(page, cloud):
    """The JSON that each `curl` command of the page prints."""
    environment = {**os.environ, "URL": cloud.url, "no_proxy": "127.0.0.1"}
    commands = [command for command in page.commands if command.startswith("curl ")]
    printed = [
        subprocess.check_output(["bash", "-c", f"{command} -s"], env=environment, timeout=60)
        for command in commands
    ]
    return [json.loads(output) for output in printed]


def trace_of(cloud, answer):
    """The trace of a run; an export that took too long is repeated after the next request."""
    for _ in range(5):
        if trace := cloud.langfuse.wait_for(answer["trace_id"]):
            return trace
        httpx.get(f"{cloud.url}health", timeout=60, trust_env=False)
    raise AssertionError("the trace did not arrive")


def tree(cloud, answer):
    """The names of the trace's spans, indented below their parents."""
    trace = trace_of(cloud, answer)
    spans = sorted(trace.spans, key=lambda span: span.start_ns)

    def lines(parent, indent):
        for span in spans:
            if span.parent_id == parent:
                yield indent + span.name
                yield from lines(span.span_id, indent + "  ")

    return "\n".join(lines(trace.root.parent_id, "")) + "\n"


def until_connected(cloud, query):
    """The answer with the server's tool: a busy machine can connect later than the first request waits."""
    for _ in range(10):
        answer = ask(cloud, query).json()
        if answer["response"].startswith("The answer is"):
            break
        time.sleep(3)
    return answer
