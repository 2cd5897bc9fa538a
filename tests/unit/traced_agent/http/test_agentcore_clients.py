"""`/invocations` and `/ping` serve AgentCore's clients as its own server does; `POST /` stays strict."""

import time

import pytest


@pytest.mark.parametrize(
    "content_type", [None, "text/plain", "application/octet-stream", "text/plain; charset=utf-8"]
)
def test_invocations_accepts_a_missing_or_other_content_type(calling, content_type):
    headers = {"content-type": content_type} if content_type else {}
    assert calling().post({"prompt": "Hi"}, path="/invocations", headers=headers)[0] == 200


def test_the_root_rejects_another_content_type(calling):
    status, body, _ = calling().post({"prompt": "Hi"}, headers={"content-type": "text/plain"})
    assert (status, body["error"]["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    "unknown", [{"actor_id": "a"}, {"input": {"x": 1}}, {"payload": "x"}, {"name": "n", "text": "t"}]
)
def test_invocations_ignores_unknown_names_and_the_root_names_them(calling, unknown):
    called = calling()
    assert called.post({"prompt": "Hi", **unknown}, path="/invocations")[0] == 200
    status, body, _ = called.post({"prompt": "Hi", **unknown})
    assert (status, body["error"]["field"]) == (400, next(iter(unknown)))


def test_invocations_still_validates_what_it_knows(calling):
    status, body, _ = calling().post({"prompt": "Hi", "tags": "x"}, path="/invocations")
    assert (status, body["error"]["field"]) == (400, "tags")
    assert calling().post({"input": "Hi"}, path="/invocations")[0] == 400


def test_invocations_accepts_the_responses_to_interrupts(calling):
    body = {"interrupt_responses": [{"id": "1", "response": "yes"}], "session_id": "s", "actor_id": "a"}
    answers = [calling().post(body, path="/invocations"), calling().post({**body, "actor_id": None})]
    assert answers[0][1]["error"]["message"].startswith("No interrupt waits for a response here")
    assert "is not a known field" in answers[1][1]["error"]["message"]


def test_ping_has_the_time_of_the_last_status_change(calling):
    status, body, _ = calling().post(None, method="GET", path="/ping")
    assert (status, body["status"]) == (200, "Healthy")
    assert isinstance(body["time_of_last_update"], int)
    assert 0 < body["time_of_last_update"] <= time.time()
