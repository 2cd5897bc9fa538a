"""The internal extension exports after the response, and always requests the next event."""

import time

import pytest

from tests.unit.traced_agent.tracing.after_response.extension_api import Lambda
from traced_agent.settings import Settings
from traced_agent.tracing import after_response


def test_it_registers_for_invocations_only(started, aws):
    """Lambda refuses an internal extension that wants SHUTDOWN."""
    assert aws.registered == [("/2020-01-01/extension/register", "traced-agent", {"events": ["INVOKE"]})]


def test_the_export_follows_the_response_and_precedes_the_next_event(started, aws, export):
    aws.invoke("r1")
    assert export.none
    started.finish("r1", 10)
    assert export.wait() == 3.0
    aws.wait_for_ask()


def test_only_the_response_of_the_same_request_counts(started, aws, export):
    started.finish("r0", 10)
    aws.invoke("r1")
    assert export.none
    started.finish("r1", 10)
    export.wait()


def test_a_response_that_precedes_the_event_counts(started, aws, export):
    started.finish("r1", 10)
    aws.invoke("r1")
    export.wait()
    aws.wait_for_ask()


def test_the_export_ends_before_the_deadline(started, aws, export):
    started.finish("r1", 10)
    aws.invoke("r1", seconds=1.5)
    assert 0.5 < export.wait() <= 1.0


def test_a_request_without_a_response_is_awaited_until_its_deadline(started, aws, export):
    aws.invoke("r1", seconds=0.8)
    assert export.wait() < 0.1
    aws.wait_for_ask()


@pytest.mark.parametrize("error", [ValueError("x"), SystemExit(1), KeyboardInterrupt(), MemoryError()])
def test_any_exception_of_an_export_is_logged_and_the_loop_continues(started, aws, export, error, caplog):
    export.error = error
    for request_id in ("r1", "r2"):
        started.finish(request_id, 10)
        aws.invoke(request_id)
        export.wait()
        aws.wait_for_ask()
    assert caplog.text.count(type(error).__name__) == 2


def test_a_connection_that_breaks_while_frozen_is_opened_again(started, aws, export):
    aws.events.put("break")
    aws.wait_for_ask()
    started.finish("r1", 10)
    aws.invoke("r1")
    export.wait()


def test_an_event_of_another_kind_is_ignored(started, aws, export):
    aws.events.put({"eventType": "SHUTDOWN"})
    aws.wait_for_ask()
    assert export.none


def test_the_request_exports_if_lambda_no_longer_knows_the_extension(aws, export):
    extension = after_response.Extension(aws.api, pause_s=0.0)
    extension.register()
    after = after_response.AfterResponse(export, 3.0, extension)
    for _ in range(60):
        aws.events.put(None)
    while extension.alive:
        time.sleep(0.01)
    after.finish("r1", 10)
    assert export.wait() == 3.0


def test_if_registration_is_rejected_the_export_is_part_of_the_request(export):
    aws = Lambda(register=403)
    after = after_response.start_after_response(export, Settings(), {"AWS_LAMBDA_RUNTIME_API": aws.api})
    after.finish("r1", 10)
    assert export.wait() == 3.0
    after.finish("r2", 1.0)
    assert export.wait() == 0.5
    after.finish("r3", 0.2)
    assert export.wait() == 0.0
    assert aws.asks == 0
    aws.close()


def test_without_an_extensions_api_the_export_is_part_of_the_request(export, unused_address):
    for environ in ({}, {"AWS_LAMBDA_RUNTIME_API": unused_address}):
        after_response.start_after_response(export, Settings(), environ).finish("r1", 10)
        assert export.wait() == 3.0


def test_with_trace_export_before_the_export_precedes_the_response(aws, export):
    settings = Settings(trace_export="before", trace_export_timeout_s=1.0)
    after_response.start_after_response(export, settings, {"AWS_LAMBDA_RUNTIME_API": aws.api}).finish(
        "r1", 10
    )
    assert export.wait() == 1.0
    assert aws.registered == []


def test_without_tracing_there_is_no_extension(aws):
    after = after_response.start_after_response(None, Settings(), {"AWS_LAMBDA_RUNTIME_API": aws.api})
    after.finish("r1", 10)
    assert aws.registered == []
