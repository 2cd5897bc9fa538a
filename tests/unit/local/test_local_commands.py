"""What the local cloud shows to people, packs for the function, and asks of the machine."""

import io
import json
import re
from pathlib import Path

import pytest

from tools.command import Failure
from tools.local.__main__ import parser
from tools.local.cloud import host_check
from tools.local.cloud.function_log import FunctionLog
from tools.local.cloud.local_cloud import LocalCloud
from tools.local.fakes.bedrock_faults import FAULTS as MODEL_FAULTS
from tools.local.fakes.langfuse_server import FAULTS as TRACE_FAULTS
from tools.local.traces import trace_view
from tools.local.traces.received_trace import Span, Trace

DOCS = Path(__file__).parents[3] / "docs" / "local.md"
LINE = {"timestamp": "2026-11-23T18:23:41Z", "level": "WARNING", "message": "not so well", "run_id": "abc"}


def logged(*lines, pretty):
    out = io.StringIO()
    logs = FunctionLog(out, pretty=pretty)
    for line in lines:
        logs(line if isinstance(line, str) else json.dumps(line))
    return logs, out.getvalue()


def plain(text):
    return re.sub(r"\033\[\d*m", "", text)


def test_a_program_reads_the_log_as_the_function_wrote_it():
    _, shown = logged(LINE, "START RequestId: 1", pretty=False)
    assert shown == json.dumps(LINE) + "\nSTART RequestId: 1\n"


def test_a_log_line_for_people_has_time_level_message_and_other_fields():
    _, shown = logged(LINE, "START RequestId: 1", pretty=True)
    assert plain(shown) == "18:23:41 WARNING not so well run_id=abc\nSTART RequestId: 1\n"


def test_a_traceback_for_people_has_the_functions_frames_and_the_last_one():
    own, library = '  File "/var/task/a.py", line 1\n    a()\n', '  File "/opt/b.py", line 2\n    b()\n'
    failed = {**LINE, "stackTrace": [own, library, library, library], "errorType": "E", "errorMessage": "why"}
    _, shown = logged(failed, pretty=True)
    assert plain(shown).splitlines()[1:] == [
        '          File "/var/task/a.py", line 1',
        "            a()",
        "          … 2 frames of libraries",
        '          File "/opt/b.py", line 2',
        "            b()",
        "        E: why",
    ]


def test_metrics_are_counted_and_not_shown_to_people():
    logs, shown = logged({"_aws": {}, "TracesExported": 1}, pretty=True)
    assert (logs.exported, shown) == (1, "")
    assert logs.wait_exported(0)


def test_a_request_that_is_over_without_its_trace_is_not_waited_for():
    logs, _ = logged("END RequestId: 1", pretty=False)
    assert not logs.wait_exported(600)


@pytest.mark.parametrize("odd", ["{not json", "[1]", "", '{"level": null}'])
def test_a_line_in_another_format_is_shown_unchanged(odd):
    assert plain(logged(odd, pretty=True)[1]) in (f"{odd}\n", "")


def span(name, identifier, parent=None, **attributes):
    return Span("t" * 32, identifier, parent, name, "scope", 0, 2_500_000, attributes, {}, "unset", "", ())


def test_a_trace_is_a_tree_with_types_inputs_and_tokens():
    root = span("query", "1", **{"langfuse.observation.input": '{"query": "?"}', "session.id": "s"})
    chat = span(
        "chat",
        "2",
        "1",
        **{"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 3, "gen_ai.usage.output_tokens": 4},
    )
    orphan = span("late", "9", "8")
    tool = span("tool", "3", "1", **{"gen_ai.operation.name": "execute_tool"})
    assert trace_view.text(Trace("t" * 32, (root, chat, tool, orphan))).splitlines() == [
        f"trace {'t' * 32}",
        "SPAN query  2.5 ms",
        "│  session: s",
        '│  input: {"query": "?"}',
        "├─ GENERATION chat  2.5 ms",
        "│     tokens: 3 in, 4 out",
        "└─ TOOL tool  2.5 ms",
        "SPAN late  2.5 ms",
    ]


@pytest.mark.parametrize(
    ("system", "machine"), [("darwin", "arm64"), ("win32", "AMD64"), ("linux", "aarch64")]
)
def test_another_machine_gets_the_requirements_in_one_line(system, machine):
    with pytest.raises(Failure, match="WSL") as failure:
        host_check.check(system, machine)
    assert "\n" not in str(failure.value)


def test_linux_on_x86_64_will_do():
    host_check.check("linux", "x86_64")


@pytest.mark.parametrize(
    ("heading", "faults"), [("The fake model", MODEL_FAULTS), ("The fake Langfuse server", TRACE_FAULTS)]
)
def test_the_page_lists_every_fault_and_no_other(heading, faults):
    section = DOCS.read_text("utf-8").partition(f"### {heading}\n")[2].partition("\n#")[0]
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \|$", section, re.MULTILINE)
    assert dict(rows) == faults


def test_an_invalid_port_is_reported_in_one_line():
    with pytest.raises(Failure, match=r"port 99999 cannot be used .*--port"), LocalCloud(port=99999):
        pass


def test_a_secret_of_the_agent_is_read_from_a_file(tmp_path):
    (tmp_path / "key.json").write_text('{"api_key": "sk=1"}')
    options = parser().parse_args(["serve", "--secret", f"model-api-key={tmp_path / 'key.json'}"])
    assert options.secret == [("model-api-key", '{"api_key": "sk=1"}')]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("model-api-key", "'model-api-key' is not NAME=FILE"),
        ("=key.json", "'=key.json' is not NAME=FILE"),
        ("model-api-key=missing.json", "'missing.json' cannot be read: No such file or directory"),
        ("model-api-key=binary", "'binary' is not UTF-8 text"),
    ],
)
def test_a_secret_that_cannot_be_read_is_explained(tmp_path, monkeypatch, capsys, given, says):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(SystemExit):
        parser().parse_args(["serve", "--secret", given])
    assert says in " ".join(capsys.readouterr().err.split())
