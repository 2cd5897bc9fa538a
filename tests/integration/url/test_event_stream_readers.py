"""Readers of server-sent events from PyPI and npm receive the same events, and do not repeat the query."""

import json
import subprocess

import pytest

from tests.third_party import node
from tools.environments import python_of

PROGRAMS = {
    "Python": (
        lambda: [python_of("clients"), node.FOLDER / "read_streams.py"],
        {"httpx-sse", "sseclient-py", "launchdarkly-eventsource", "aiohttp-sse-client"},
    ),
    "Node": (lambda: [node.NODE, "read_streams.mjs"], {"eventsource", "eventsource-parser"}),
}
"""The command that reads the stream with each reader, and its readers."""

OF_ONE_RUN = ("run_id", "trace_id", "timestamp", "duration_ms", "trace_filter", "usage")


def comparable(events):
    """The events without what differs from run to run."""
    return [
        (name, {field: value for field, value in data.items() if field not in OF_ONE_RUN})
        for name, data in events
    ]


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize(
    "query", ["What is 6 * 7?", "Caf\u00e9 \u2028\x85 \U0001f600 data: x\r\revent: y", "[[deny]] Hello"]
)
def test_every_reader_receives_the_same_events_and_asks_once(streaming, bedrock, tmp_path, program, query):
    before = len(bedrock.requests)
    expected = comparable(streaming.events(query))
    calls_of_a_run = len(bedrock.requests) - before
    command, readers = PROGRAMS[program]
    (tmp_path / "read_streams.mjs").write_text((node.FOLDER / "read_streams.mjs").read_text())
    node.link(tmp_path)
    before = len(bedrock.requests)
    ran = subprocess.run(
        [*map(str, command()), streaming.url, query],
        check=False,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert {reader: comparable(events) for reader, events in found.items()} == dict.fromkeys(
        readers, expected
    )
    assert len(bedrock.requests) - before == calls_of_a_run * len(readers)
