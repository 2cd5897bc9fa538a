"""The function's own metrics, written to its log in CloudWatch's embedded metric format.

CloudWatch extracts metrics from such lines: no call, no permission, no dependency. The names are defined only
here; the stack's alarms and dashboard read them. The dimension of each metric is the function's name.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, TextIO

NAMESPACE = "StrandsLangfuseLambda"
DIMENSION = "FunctionName"
CODE_DIMENSION = "ErrorCode"
"""Second dimension of `RunsFailed`: the error code of the response."""

COLD_STARTS = "ColdStarts"
"""Execution environments that have answered their first request; a restored snapshot counts each time."""
INPUT_TOKENS = "InputTokens"
OUTPUT_TOKENS = "OutputTokens"
"""Tokens of all runs, failed ones included."""
CACHE_READ_TOKENS = "CacheReadTokens"
"""Input tokens that the model read from its prompt cache; INPUT_TOKENS does not contain them."""
CACHE_WRITE_TOKENS = "CacheWriteTokens"
RUNS_FAILED = "RunsFailed"
"""Runs that ended in an error which is not the caller's (429 or 5xx), streamed or not."""
REQUESTS_REJECTED = "RequestsRejected"
"""Requests without a valid token (auth=jwt)."""
RUNTIME_CLIENT_CHANGED = "RuntimeClientChanged"
"""Environments in which Lambda's runtime client lacked something that streaming or tracing needs."""
TRACES_EXPORTED = "TracesExported"
"""Runs whose every span was accepted."""
TRACES_RETRIED = "TracesRetried"
"""Runs that were not sent at the first attempt; each counts once, however often it is sent again."""
TRACES_SPOOLED = "TracesSpooled"
"""Runs written to the log instead of being lost."""
TRACES_LOST = "TracesLost"
"""Runs of which at least one span will never arrive."""
TRACES_WAITING = "TracesWaiting"
"""Runs that wait in an execution environment after an export, because they could not be sent."""
FEEDBACK_EXPORTED = "FeedbackExported"
"""Scores of users that Langfuse accepted."""
FEEDBACK_SPOOLED = "FeedbackSpooled"
"""Scores of users that were written to the log instead of being lost."""
FEEDBACK_LOST = "FeedbackLost"
"""Scores of users that will never arrive."""
PROMPT_FALLBACKS = "PromptFallbacks"
"""Requests for the system prompt that failed, so that an older version or the code's own is used."""
OLDEST_TRACE_AGE = "OldestTraceAge"
"""Seconds that the oldest waiting run has waited."""

_UNITS = {OLDEST_TRACE_AGE: "Seconds"}


def emit(
    values: Mapping[str, float],
    *,
    error_code: str | None = None,
    environ: Mapping[str, str] = os.environ,
    out: TextIO | None = None,
    clock: Callable[[], float] = time.time,
) -> None:
    """Write one line of metrics, each a count, to `out` (standard output); nothing when all are zero.

    With an `error_code` each metric is also recorded for that code alone.
    """
    counted = {name: value for name, value in values.items() if value}
    if not counted:
        return
    properties = {DIMENSION: environ.get("AWS_LAMBDA_FUNCTION_NAME", "local")}
    dimensions = [[DIMENSION]]
    if error_code:
        properties[CODE_DIMENSION] = error_code
        dimensions.append([DIMENSION, CODE_DIMENSION])
    directive = {
        "Namespace": NAMESPACE,
        "Dimensions": dimensions,
        "Metrics": [{"Name": name, "Unit": _UNITS.get(name, "Count")} for name in counted],
    }
    line = {
        "_aws": {"Timestamp": int(clock() * 1000), "CloudWatchMetrics": [directive]},
        **properties,
        **counted,
    }
    out = out or sys.stdout
    out.write(_line_break(out) + json.dumps(line) + "\n")
    out.flush()


class LineTracker:
    """A text stream that knows whether its last line is complete.

    A tool may print text without a line break. A metrics line that followed it on the same line could not be
    parsed by CloudWatch.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.line_is_open = False

    def write(self, text: str) -> int:
        """Write the text, and note whether it ends its line."""
        if text:
            self.line_is_open = not text.endswith("\n")
        return self._stream.write(text)

    def writelines(self, lines: Any) -> None:
        """Write each of the lines."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def track_lines() -> None:
    """Replace standard output with a `LineTracker`, once."""
    if not isinstance(sys.stdout, LineTracker):
        sys.stdout = LineTracker(sys.stdout)


def end_line() -> None:
    """End the last line of standard output if it is known to be incomplete."""
    if line_break := _line_break(sys.stdout):
        sys.stdout.write(line_break)


def _line_break(out: TextIO) -> str:
    return "\n" if getattr(out, "line_is_open", False) else ""
