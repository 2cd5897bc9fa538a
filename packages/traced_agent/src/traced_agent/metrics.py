"""The function's own metrics, written to its log in CloudWatch's embedded metric format.

CloudWatch makes metrics of such lines by itself: no call, no permission, no dependency. The names stand here
once; the stack's alarms and dashboard read them. The dimension of each is the function's name.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import TextIO

NAMESPACE = "StrandsLangfuseLambda"
DIMENSION = "FunctionName"

COLD_STARTS = "ColdStarts"
INPUT_TOKENS = "InputTokens"
OUTPUT_TOKENS = "OutputTokens"
CACHE_READ_TOKENS = "CacheReadTokens"
"""Input tokens that the model read from its prompt cache; INPUT_TOKENS does not contain them."""
CACHE_WRITE_TOKENS = "CacheWriteTokens"
RUNS_FAILED = "RunsFailed"
"""Runs that ended with an error, in the response or in an event of a stream."""
REQUESTS_REJECTED = "RequestsRejected"
"""Requests without a valid token (auth=jwt)."""
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
    environ: Mapping[str, str] = os.environ,
    out: TextIO | None = None,
    clock: Callable[[], float] = time.time,
) -> None:
    """Write one line of metrics, each a count, to `out` (standard output); nothing when all are zero."""
    counted = {name: value for name, value in values.items() if value}
    if not counted:
        return
    about = {
        "Namespace": NAMESPACE,
        "Dimensions": [[DIMENSION]],
        "Metrics": [{"Name": name, "Unit": _UNITS.get(name, "Count")} for name in counted],
    }
    line = {
        "_aws": {"Timestamp": int(clock() * 1000), "CloudWatchMetrics": [about]},
        DIMENSION: environ.get("AWS_LAMBDA_FUNCTION_NAME", "local"),
        **counted,
    }
    out = out or sys.stdout
    out.write(json.dumps(line) + "\n")
    out.flush()
