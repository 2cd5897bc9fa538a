"""What becomes of failures: of the model, of a tool, of time."""

import logging
import threading
import time

import pytest
import strands
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    EventStreamError,
    NoCredentialsError,
    ReadTimeoutError,
)
from strands.types.exceptions import EventLoopException, ModelThrottledException

from traced_agent import errors, model_errors
from traced_agent.testing import ToolUse
from traced_agent.worker_threads import DeadlineExceeded, run_with_timeout

MODEL, REGION = "us.anthropic.claude-sonnet-4-6", "us-east-1"


def aws(code, message="", operation="ConverseStream"):
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


FAILURES = {
    "throttling": (ModelThrottledException("slow down"), "model_throttled", "quota"),
    "throttling after a tool": (
        EventLoopException(ModelThrottledException("slow down")),
        "model_throttled",
        "quota",
    ),
    "a used-up quota": (aws("ServiceQuotaExceededException"), "model_throttled", "quota"),
    "no access to the model": (
        aws("AccessDeniedException", "You don't have access to the model"),
        "model_access_denied",
        "Model access",
    ),
    "no use case told": (
        aws("ResourceNotFoundException", "Model use case details have not been submitted"),
        "model_access_denied",
        "use case",
    ),
    "expired credentials": (aws("ExpiredTokenException"), "model_access_denied", "ExpiredTokenException"),
    "wrong keys": (aws("UnrecognizedClientException"), "model_access_denied", "credentials"),
    "no credentials": (NoCredentialsError(), "model_access_denied", "credentials"),
    "a wrong model id": (
        aws("ValidationException", "The provided model identifier is invalid."),
        "model_error",
        f"BEDROCK_MODEL_ID={MODEL}",
    ),
    "a model without on-demand": (
        aws("ValidationException", "with on-demand throughput"),
        "model_error",
        "inference profile",
    ),
    "a failing service": (aws("InternalServerException"), "model_error", "InternalServerException"),
    "a broken stream": (
        EventStreamError({"Error": {"Code": "modelStreamErrorException"}}, "ConverseStream"),
        "model_error",
        "again",
    ),
    "an endpoint that is not there": (
        EndpointConnectionError(endpoint_url="https://x"),
        "model_error",
        "BEDROCK_REGION",
    ),
    "silence": (ReadTimeoutError(endpoint_url="https://x"), "model_error", "again"),
    "AWS refusing a tool's call": (
        aws("AccessDenied", "arn:aws:s3:::secret", "GetObject"),
        "internal_error",
        "log",
    ),
    "anything else": (RuntimeError("/var/task/secret.py"), "internal_error", "log"),
}


@pytest.mark.parametrize(("failure", "code", "word"), FAILURES.values(), ids=FAILURES)
def test_a_failure_names_its_code_and_a_remedy(calling, failure, code, word):
    status, body, _ = calling(failure, failure, "Four.").post({"query": "Hi"})
    assert (status, body["error"]["code"]) == (errors.STATUS[code], code)
    assert word in body["error"]["message"]
    assert "secret" not in str(body)


def test_throttling_has_a_retry_after(calling):
    _, _, headers = calling(ModelThrottledException("slow down")).post({"query": "Hi"})
    assert int(headers["retry-after"]) > 0


def test_attempts_do_not_multiply(calling):
    """botocore repeats a throttled call once; the agent does not repeat that."""
    called = calling(ModelThrottledException("slow down"))
    called.post({"query": "Hi"})
    assert len(called.model.requests) == 1


def test_retry_after_differs_between_clients(calling):
    called = calling(ModelThrottledException("slow down"))
    waits = {int(called.post({"query": "Hi"})[2]["retry-after"]) for _ in range(40)}
    assert len(waits) > 1
    assert min(waits) >= 5
    assert max(waits) <= 15


def test_an_exception_of_the_script_does_not_keep_the_tracebacks_of_earlier_requests(calling, caplog):
    called = calling(ModelThrottledException("slow down"))
    for _ in range(3):
        called.post({"query": "Hi"})
    logged = [record.exc_text for record in caplog.records if record.name == "traced_agent"]
    assert len(logged) == 3
    assert logged[0].count("raise turn") == logged[2].count("raise turn") == 1


def test_a_missing_permission_names_the_action_and_the_arn_but_not_the_account():
    denial = aws(
        "AccessDeniedException",
        "User: arn:aws:sts::123456789012:assumed-role/agent/fn is not authorized to perform: "
        "bedrock:InvokeModelWithResponseStream on resource: "
        f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/{MODEL} because of nothing",
    )
    api_error = model_errors.to_api_error(denial, MODEL, REGION)
    assert api_error.code == "model_access_denied"
    assert "bedrock:InvokeModelWithResponseStream" in api_error.message
    assert f"arn:aws:bedrock:us-east-1:*:inference-profile/{MODEL}" in api_error.message
    assert "123456789012" not in api_error.message


def test_a_failure_is_logged_once_under_its_run_with_its_traceback(calling, caplog):
    _, body, _ = calling(RuntimeError("boom")).post({"query": "Hi"})
    [record] = [record for record in caplog.records if record.name == "traced_agent"]
    assert record.levelno == logging.ERROR
    assert record.code == "internal_error"
    assert str(record.exc_info[1]) == "boom"
    assert "boom" not in str(body)


def test_an_empty_answer_is_a_model_error(calling):
    status, body, _ = calling("").post({"query": "Hi"})
    assert (status, body["error"]["code"]) == (502, "model_error")


def test_past_the_deadline_the_response_is_504_and_the_next_request_succeeds(calling, context):
    release = threading.Event()
    called = calling(lambda: release.wait(30) and "Late.", "Four.")
    started = time.monotonic()
    status, body, _ = called.post({"query": "Hang"}, context(remaining_s=1.0))
    assert (status, body["error"]["code"]) == (504, "deadline_exceeded")
    assert time.monotonic() - started < 1.0, "answered within the function's time"
    assert called.post({"query": "Hi"})[1]["response"] == "Four."
    release.set()


RELEASE = threading.Event()


@pytest.fixture
def released_in_the_end():
    RELEASE.clear()
    yield
    RELEASE.set()


@strands.tool
def raising() -> str:
    """Raise."""
    raise RuntimeError("boom")


@strands.tool
def exiting() -> str:
    """Leave."""
    raise SystemExit(3)


@strands.tool
def nonsense() -> object:
    """Return what no one can read."""
    return {1: object(), "x": b"\xff", "y": float("nan")}


@strands.tool
def hanging() -> str:
    """Hang."""
    RELEASE.wait(30)
    return "late"


@pytest.mark.parametrize(
    ("tool", "status"),
    [("raising", 200), ("nonsense", 200), ("unknown", 200), ("exiting", 500), ("hanging", 504)],
)
def test_a_faulty_tool_affects_neither_the_answer_nor_the_next_request(
    calling, context, released_in_the_end, tool, status
):
    called = calling(ToolUse(tool, {}), "Four.", tools=[raising, exiting, nonsense, hanging])
    assert called.post({"query": "Hi"}, context(remaining_s=3.0))[0] == status
    assert called.post({"query": "Hi"})[1]["response"] == "Four."


def test_work_runs_with_the_context_of_its_caller_and_raises_what_it_raises():
    import contextvars

    var = contextvars.ContextVar("var")
    var.set("mine")
    assert run_with_timeout(5, var.get) == "mine"
    with pytest.raises(ZeroDivisionError):
        run_with_timeout(5, lambda: 1 / 0)
    with pytest.raises(TimeoutError):  # the work's own, not the deadline's
        run_with_timeout(5, lambda: (_ for _ in ()).throw(TimeoutError()))


def test_no_time_left_is_a_deadline_passed():
    with pytest.raises(DeadlineExceeded):
        run_with_timeout(-1, lambda: time.sleep(0.2))
