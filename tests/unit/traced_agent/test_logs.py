"""What the log tells, and what it keeps to itself."""

import json
import logging

import pytest
from awslambdaric.lambda_runtime_log_utils import JsonFormatter

from traced_agent import logs
from traced_agent.run import Run
from traced_agent.testing import ToolUse


@pytest.fixture
def lines():
    """What Lambda's JSON log would hold."""

    class Kept(logging.Handler):
        def __init__(self):
            super().__init__()
            self.lines = []
            self.setFormatter(JsonFormatter())

        def emit(self, record):
            self.lines.append(json.loads(self.format(record)))

    root, kept = logging.getLogger(), Kept()
    level = root.level
    root.addHandler(kept)
    yield kept.lines
    root.removeHandler(kept)
    logs.configure("INFO")
    root.setLevel(level)


def test_every_log_line_of_a_run_has_its_ids(lines):
    logs.configure("INFO")
    run = Run(30)
    with logs.run_context(run):
        logging.getLogger("traced_agent").info("ours")
        run.links = {**run.links, "trace_id": "0af7"}
        logging.getLogger("botocore").warning("theirs")
    logging.getLogger("traced_agent").info("nobody's")
    assert [(line.get("run_id"), line.get("trace_id")) for line in lines] == [
        (run.id, None),
        (run.id, "0af7"),
        (None, None),
    ]


def test_a_run_is_one_line_of_json_with_what_it_used(calling, lines):
    logs.configure("INFO")
    _, body, _ = calling().post({"query": "Hi"})
    [line] = [line for line in lines if line["logger"] == "traced_agent"]
    assert (line["run_id"], line["message"], line["totalTokens"]) == (body["run_id"], "answered", 18)
    assert line["duration_ms"] >= 0


def test_a_rejected_request_is_one_log_line_with_its_code(calling, lines):
    logs.configure("INFO")
    _, body, _ = calling().post("{")
    [line] = [line for line in lines if line["logger"] == "traced_agent"]
    assert (line["run_id"], line["code"], line["level"]) == (body["run_id"], "invalid_json", "WARNING")
    assert "stackTrace" not in line


def test_at_info_no_log_line_contains_a_query_or_an_answer(calling, lines):
    logs.configure("INFO")
    tools = [ToolUse("calculator", arguments) for arguments in ({"expression": "1234567+1"}, '{"1234567')]
    calling(*tools, "Shibboleth.").post({"query": "Abracadabra"})
    assert lines
    told = json.dumps(lines)
    assert not any(word in told for word in ("Abracadabra", "Shibboleth", "1234567"))


@pytest.mark.parametrize(
    "library", ["botocore.endpoint", "botocore.auth", "urllib3.connectionpool", "langfuse"]
)
def test_libraries_that_log_headers_never_log_below_warning(lines, library):
    logs.configure("DEBUG")
    logging.getLogger(library).info("authorization: secret")
    assert lines == []


@pytest.mark.parametrize(
    ("header", "identifier"),
    [
        ("Root=1-67-abc;Parent=53;Sampled=1;Lineage=1:2:3", "1-67-abc"),
        ("Root=1-67-abc;Parent=53;Sampled=0", None),
        ("", None),
    ],
)
def test_the_log_has_x_rays_id_if_x_ray_keeps_the_trace(header, identifier):
    assert logs.xray_trace_id({"_X_AMZN_TRACE_ID": header}) == identifier
