"""Lines of metrics in CloudWatch's embedded metric format."""

import io
import json
import subprocess
import sys

import pytest

from traced_agent import metrics


def test_a_line_is_what_cloudwatch_makes_metrics_of():
    out = io.StringIO()
    environ = {"AWS_LAMBDA_FUNCTION_NAME": "fn"}
    metrics.emit({"A": 2, "B": 0}, environ=environ, out=out, clock=lambda: 12.5)
    line = json.loads(out.getvalue())
    (about,) = line["_aws"]["CloudWatchMetrics"]
    assert line["_aws"]["Timestamp"] == 12500
    assert about["Metrics"] == [{"Name": "A", "Unit": "Count"}]
    assert about["Dimensions"] == [["FunctionName"]]
    assert (line["FunctionName"], line["A"]) == ("fn", 2)
    assert "B" not in line


def test_without_counts_nothing_is_written():
    out = io.StringIO()
    metrics.emit({"A": 0}, out=out)
    metrics.emit({}, out=out)
    assert out.getvalue() == ""


def test_the_names_are_read_without_importing_anything_heavy():
    program = (
        "import sys, traced_agent.metrics; print([m for m in sys.modules if 'opentel' in m or 'boto' in m])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("text", ["half", "half a line", "line\n"])
def test_a_tools_unfinished_line_does_not_join_a_metrics_line(monkeypatch, capsys, text):
    monkeypatch.setattr(sys, "stdout", metrics.LineTracker(sys.stdout))
    sys.stdout.write(text)
    metrics.emit({"A": 1})
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == text.strip()
    assert json.loads(lines[1])["A"] == 1
