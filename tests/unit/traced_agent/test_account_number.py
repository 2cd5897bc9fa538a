"""Responses contain no account number."""

import json

import pytest

from traced_agent.settings import Settings
from traced_agent.testing import Text

ARN = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3"


@pytest.mark.parametrize("script", [Text("Hi."), RuntimeError("x"), Text("", stop_reason="end_turn")])
def test_no_response_has_the_account_number(calling, script):
    called = calling(script, settings=Settings(bedrock_model_id=ARN, page=True))
    for body, method, path in (
        ({"query": "x"}, "POST", "/"),
        (None, "GET", "/health"),
        (None, "GET", "/"),
        (None, "GET", "/openapi.json"),
    ):
        answer = called.post(body, method=method, path=path)
        assert "123456789012" not in json.dumps(answer)
    assert called.post(None, method="GET", path="/health")[1]["model_id"] == (
        "application-inference-profile/a1b2c3"
    )
