"""Reading the log and the status of a deployed stack."""

import json

import pytest

from tools.aws import logs, status
from tools.aws.stacks import DeployedStack
from tools.command import Failure

LINE = {"timestamp": "2026-11-27T10:00:00Z", "level": "ERROR", "run_id": "3c9dfb1d", "message": "failed"}


def event(number: int, message: str = "m") -> dict[str, object]:
    return {"eventId": str(number), "timestamp": number, "message": message}


def test_lines_are_read_since_a_time_and_by_pattern(fake_aws) -> None:
    aws = fake_aws(filter_log_events={"events": [event(1, "a"), event(2, "b")]})

    assert list(logs.read(aws, "group", 1.5, pattern="{ $.x = 1 }")) == ["a", "b"]
    assert aws.arguments["filter_log_events"] == {
        "logGroupName": "group",
        "startTime": 1500,
        "filterPattern": "{ $.x = 1 }",
    }


def test_following_prints_each_line_once(fake_aws) -> None:
    pages = iter([[event(1, "a")], [event(1, "a"), event(2, "b")], [event(2, "b")]])
    aws = fake_aws(filter_log_events=lambda **_: {"events": next(pages)})
    waits: list[float] = []
    messages = logs.follow(aws, "group", 0, pattern=None, sleep=waits.append)

    assert [next(messages), next(messages)] == ["a", "b"]
    assert waits == [logs.POLL_S]


def test_a_log_group_that_does_not_exist_is_one_line(fake_aws) -> None:
    with pytest.raises(Failure, match="the log group g does not exist: run `hatch run deploy`"):
        list(logs.read(fake_aws(filter_log_events="ResourceNotFoundException"), "g", 0))
    with pytest.raises(Failure, match=r"cannot be read \(AccessDeniedException\): check the permissions"):
        list(logs.read(fake_aws(filter_log_events="AccessDeniedException"), "g", 0))


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        (json.dumps(LINE), "2026-11-27T10:00:00Z ERROR 3c9dfb1d failed"),
        ("plain text\n", "plain text"),
        ("[1, 2]", "[1, 2]"),
        (
            json.dumps({"time": "T", "type": "platform.report", "record": {"status": "timeout"}}),
            "T platform.report timeout",
        ),
        (
            json.dumps(
                {
                    "_aws": {"Timestamp": 0, "CloudWatchMetrics": [{"Metrics": [{"Name": "ColdStarts"}]}]},
                    "ColdStarts": 1,
                }
            ),
            "1970-01-01T00:00:00.000+00:00 METRIC ColdStarts=1",
        ),
        (json.dumps({**LINE, "stackTrace": ["a", "b"]}), "2026-11-27T10:00:00Z ERROR 3c9dfb1d failed\na\nb"),
    ],
)
def test_a_line_is_shown_for_people(message: str, shown: str) -> None:
    assert logs.text(message) == shown


@pytest.mark.parametrize("value", ["3c9dfb1", "3C9DFB1D", '" || $.x = "1'])
def test_an_invalid_run_id_is_rejected(value: str) -> None:
    with pytest.raises(logs.argparse.ArgumentTypeError):
        logs.run_id(value)


STACK = DeployedStack(
    "my-agent",
    "UPDATE_COMPLETE",
    outputs={"FunctionUrl": "https://x/", "LogGroupName": "g"},
    record={"agent": "handler", "commit": "0a1b", "options": {"auth": "iam", "page": False, "kms_key": ""}},
)
ALARM = {"ResourceType": "AWS::CloudWatch::Alarm", "PhysicalResourceId": "my-agent-Errors"}


def test_the_status_has_the_commit_options_alarms_and_errors(fake_aws) -> None:
    aws = fake_aws(
        describe_stack_resources={"StackResources": [ALARM, {**ALARM, "ResourceType": "AWS::SNS::Topic"}]},
        describe_alarms={"MetricAlarms": [{"AlarmName": "my-agent-Errors", "AlarmDescription": "crashed"}]},
        filter_log_events={"events": [event(1, json.dumps(LINE))]},
    )
    found = status.read(aws, STACK)

    assert found["alarms"] == ["my-agent-Errors: crashed"]
    assert found["errors"] == ["2026-11-27T10:00:00Z ERROR 3c9dfb1d failed"]
    assert found["missing"] == []
    assert aws.arguments["describe_alarms"] == {"AlarmNames": ["my-agent-Errors"], "StateValue": "ALARM"}
    shown = status.text(found)
    for words in ("my-agent (UPDATE_COMPLETE", "Commit     0a1b", "auth=iam page=false", "https://x/"):
        assert words in shown
    assert "kms_key" not in shown


def test_what_cannot_be_read_is_listed(fake_aws) -> None:
    aws = fake_aws(describe_stack_resources="AccessDenied", filter_log_events="ResourceNotFoundException")
    found = status.read(aws, STACK)

    assert found["alarms"] == found["errors"] == []
    assert [reason.partition(":")[0] for reason in found["missing"]] == ["alarms", "errors"]
    assert "Not read   alarms: AccessDenied" in status.text(found)
