"""A trace of ours is the one that Langfuse's documented set-up makes."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tools.local.langfuse import Langfuse

SCRIPT = Path(__file__).with_name("one_run.py")

VOLATILE = re.compile(
    r"event\.(start|end)_time|cycle_id$|service\.(instance\.id|version)|duration|time_to_first"
)
"""What differs from run to run, or says which program it was."""


def environment(langfuse, **more):
    return {
        "PATH": os.environ["PATH"],
        "LANGFUSE_BASE_URL": langfuse.url,
        "LANGFUSE_PUBLIC_KEY": langfuse.public_key,
        "LANGFUSE_SECRET_KEY": langfuse.secret_key,
        "LANGFUSE_TRACING_ENVIRONMENT": "parity",
        "LANGFUSE_RELEASE": "r1",
        "OTEL_SERVICE_NAME": "parity",
        # Strands marks the agent's span for hosts that are named langfuse; the receiver's is not.
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://langfuse.invalid",
        "AWS_REGION": "us-east-1",
        **more,
    }


def run(how, langfuse, **more):
    command = [sys.executable, str(SCRIPT), how, langfuse.url]
    return subprocess.Popen(command, env=environment(langfuse, **more), stderr=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def both():
    """What the receiver got of either, each from a process of its own."""
    with Langfuse() as theirs, Langfuse() as ours:
        started = [run("documented", theirs), run("ours", ours)]
        for process in started:
            _, errors = process.communicate(timeout=60)
            assert process.returncode == 0, errors
        yield theirs, ours


def steady(attributes):
    return {key: value for key, value in attributes.items() if not VOLATILE.search(key)}


def tree(receiver):
    """The trace's spans with the path of names to each, without what differs from run to run."""
    (trace,) = receiver.traces()
    names = {span.span_id: span for span in trace.spans}

    def path(span):
        return (*(path(names[span.parent_id]) if span.parent_id else ()), span.name)

    return [
        {
            "path": path(span),
            "scope": span.scope,
            "attributes": steady(span.attributes),
            "resource": steady(span.resource),
            "status": (span.status, span.message),
            "events": [(event["name"], event["attributes"]) for event in span.events],
        }
        for span in trace.spans
    ]


def headers(receiver):
    (export,) = receiver.exports
    return {name: value for name, value in export.headers.items() if name not in ("content-length", "host")}


def test_the_tree_the_attributes_and_the_resource_are_those_of_the_documented_set_up(both):
    theirs, ours = map(tree, both)
    assert [span["path"] for span in ours] == [span["path"] for span in theirs]
    for one, other in zip(ours, theirs, strict=True):
        assert one == other


def test_the_headers_are_those_of_the_documented_set_up(both):
    theirs, ours = map(headers, both)
    hop_by_hop = {"accept", "accept-encoding", "connection"}
    assert {k: v for k, v in ours.items() if k not in hop_by_hop} == {
        k: v for k, v in theirs.items() if k not in hop_by_hop
    }
    assert ours["x-langfuse-ingestion-version"] == "4"
    assert ours["content-encoding"] == "gzip"
