"""Events of services that receive no response fail the invocation, so that retries and queues work."""

import pytest

from traced_agent.http.function_url import EventSourceError

EVENTS = {
    "SQS": ({"Records": [{"eventSource": "aws:sqs", "body": "{}"}]}, "aws:sqs"),
    "SNS": ({"Records": [{"EventSource": "aws:sns", "Sns": {}}]}, "aws:sns"),
    "S3": ({"Records": [{"eventSource": "aws:s3"}]}, "aws:s3"),
    "EventBridge": (
        {"version": "0", "detail-type": "Scheduled Event", "source": "aws.events", "detail": {}},
        "EventBridge",
    ),
    "Kafka": ({"eventSource": "aws:kafka", "records": {"topic-0": [{"value": "e30="}]}}, "aws:kafka"),
    "MQ": ({"eventSource": "aws:mq", "messages": [{"data": "e30="}]}, "aws:mq"),
    "CloudWatch Logs": ({"awslogs": {"data": "H4sI"}}, "CloudWatch Logs"),
    "Firehose": ({"invocationId": "1", "deliveryStreamArn": "arn", "records": []}, "Amazon Data Firehose"),
}


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_that_cannot_be_answered_fails_the_invocation(calling, context, name):
    event, source = EVENTS[name]
    called = calling()
    with pytest.raises(EventSourceError, match=f"events of {source} cannot be answered"):
        called.handler(event, context())
    assert called.model.requests == []


@pytest.mark.parametrize(
    "event", [{"Records": []}, {"Records": "x"}, {"Records": [7]}, {"query": "x", "source": "y"}]
)
def test_another_body_is_a_request_as_before(calling, event):
    assert calling()(event)[0] in (200, 400)
