"""Feedback of users becomes scores in Langfuse, with the guarantees that traces have."""

import json
from collections import deque

import pytest
from opentelemetry import trace

from tools.local.fakes.langfuse_server import FakeLangfuse
from traced_agent.settings import Settings
from traced_agent.tracing import spool
from traced_agent.tracing.langfuse_backend import LangfuseBackend
from traced_agent.tracing.tracer import RunTracer

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def langfuse():
    with FakeLangfuse() as langfuse:
        yield langfuse


@pytest.fixture
def scoring(langfuse, tracing_to):
    """Makes tracing to the fake Langfuse server, and a tracer whose scores it exports."""

    def make(*, secret_key=None, **options):
        settings = Settings(
            langfuse_host=langfuse.url,
            langfuse_public_key=langfuse.public_key,
            langfuse_secret_key=secret_key or langfuse.secret_key,
            langfuse_project_id="local",
            **options,
        )
        tracer = RunTracer(settings, trace.NoOpTracer(), lambda: None)
        backend = LangfuseBackend(settings, None, trace.NoOpTracerProvider())
        spooled = settings.trace_spool == "log"
        return tracer, tracing_to(backend, scores=tracer.scores, spool_to_log=spooled)

    return make


def test_feedback_is_sent_with_the_next_export_and_counted(scoring, langfuse):
    tracer, exporting = scoring(langfuse_environment="prod")
    tracer.add_score("user-feedback", TRACE_ID, 1, "good")
    assert langfuse.records.scores == {}
    exporting.export()
    assert list(langfuse.records.scores.values()) == [
        {
            "id": f"{TRACE_ID}-user-feedback",
            "traceId": TRACE_ID,
            "name": "user-feedback",
            "value": 1,
            "dataType": "NUMERIC",
            "comment": "good",
            "environment": "prod",
        }
    ]
    assert exporting.metrics == {"FeedbackExported": 1}


def test_feedback_sent_again_replaces_the_first(scoring, langfuse):
    tracer, exporting = scoring()
    for value in (1, -1):
        tracer.add_score("user-feedback", TRACE_ID, value, None)
        exporting.export()
    (score,) = langfuse.records.scores.values()
    assert score["value"] == -1


def test_comments_are_content(scoring, langfuse):
    tracer, exporting = scoring(trace_content="metadata")
    tracer.add_score("user-feedback", TRACE_ID, 0.5, "CANARY")
    exporting.export()
    assert [score["value"] for score in langfuse.records.scores.values()] == [0.5]
    assert "CANARY" not in repr(langfuse.api_requests)


@pytest.mark.parametrize("fault", ["unavailable", "internal", "close", "html", "unauthorized"])
def test_a_backend_that_fails_loses_no_feedback(scoring, langfuse, caplog, fault):
    tracer, exporting = scoring()
    langfuse.api_faults.inject(fault)
    tracer.add_score("user-feedback", TRACE_ID, 1, None)
    exporting.export()
    exporting.export()
    assert langfuse.records.scores == {}
    assert caplog.text.count("scores are not sent") == 1
    langfuse.api_faults.inject("ok")
    exporting.export()
    assert len(langfuse.records.scores) == 1
    assert exporting.metrics == {"FeedbackExported": 1}


def test_a_backend_that_hangs_delays_an_export_at_most_for_its_budget(scoring, langfuse):
    tracer, exporting = scoring()
    langfuse.api_faults.inject("hang")
    tracer.add_score("user-feedback", TRACE_ID, 1, None)
    assert exporting.export(0.5) < 2
    langfuse.api_faults.inject("ok")
    exporting.export()
    assert len(langfuse.records.scores) == 1


def test_refused_feedback_is_lost_or_spooled_and_others_are_sent(scoring, langfuse):
    for options, metric in (({}, "FeedbackLost"), ({"trace_spool": "log"}, "FeedbackSpooled")):
        tracer, exporting = scoring(**options)
        tracer.add_score("", TRACE_ID, 1, None)
        tracer.add_score("user-feedback", TRACE_ID, 1, None)
        exporting.export()
        assert exporting.metrics == {metric: 1, "FeedbackExported": 1}
        spooled = list(spool.read_scores(exporting.log))
        assert [score["traceId"] for score in spooled] == ([TRACE_ID] if options else [])


def test_the_number_of_waiting_scores_is_bounded(scoring, langfuse):
    tracer, exporting = scoring()
    langfuse.api_faults.inject("unavailable")
    for number in range(1_003):
        tracer.add_score("user-feedback", f"{number:032x}", 1, None)
    exporting.export()
    assert exporting.metrics["FeedbackLost"] == 3


def test_wrong_keys_are_not_logged(scoring, langfuse, caplog):
    tracer, exporting = scoring(secret_key="CANARY")
    tracer.add_score("user-feedback", TRACE_ID, 1, None)
    exporting.export()
    assert "CANARY" not in caplog.text
    assert "credentials" in caplog.text


@pytest.fixture
def posting(calling):
    """Posts to a traced handler's /feedback; returns status, body and the queued scores."""

    def post(body, settings=Settings()):  # noqa: B008
        tracer = RunTracer(settings, trace.NoOpTracer(), lambda: None)
        status, answer, _ = calling(tracing=tracer, settings=settings).post(body, path="/feedback")
        return status, answer, list(tracer.scores)

    return post


def test_valid_feedback_is_accepted_at_once(posting):
    status, answer, scores = posting({"trace_id": TRACE_ID, "value": -1, "comment": "wrong"})
    assert (status, answer) == (202, {"success": True, "trace_id": TRACE_ID})
    assert [(score["value"], score["comment"]) for score in scores] == [(-1.0, "wrong")]


@pytest.mark.parametrize(
    ("body", "field", "says"),
    [
        ({"value": 1}, "trace_id", "is missing"),
        ({"trace_id": "x" * 32, "value": 1}, "trace_id", "32 hexadecimal digits"),
        ({"trace_id": TRACE_ID.upper(), "value": 1}, "trace_id", "32 hexadecimal digits"),
        ({"trace_id": TRACE_ID}, "value", "is missing"),
        ({"trace_id": TRACE_ID, "value": 1.1}, "value", "must be at most 1"),
        ({"trace_id": TRACE_ID, "value": -2}, "value", "must be at least -1"),
        ({"trace_id": TRACE_ID, "value": "1"}, "value", "must be a number"),
        ({"trace_id": TRACE_ID, "value": True}, "value", "must be a number"),
        ({"trace_id": TRACE_ID, "value": 1, "comment": "x" * 1001}, "comment", "at most 1000 characters"),
        ({"trace_id": TRACE_ID, "value": 1, "name": "x"}, "name", "is not a known field"),
    ],
)
def test_invalid_feedback_is_rejected_with_the_field(posting, body, field, says):
    status, answer, scores = posting(body)
    assert (status, answer["error"]["code"], answer["error"]["field"]) == (400, "invalid_request", field)
    assert says in answer["error"]["message"]
    assert scores == []


@pytest.mark.parametrize("body", ["", "[]", "null"])
def test_a_body_that_is_no_feedback_gets_an_example_of_feedback(posting, body):
    status, answer, _ = posting(body)
    assert (status, answer["success"]) == (400, False)
    assert answer["error"]["message"].endswith('send {"trace_id": "…", "value": 1}')


def test_there_is_no_feedback_without_langfuse(calling, posting):
    assert calling().post({"trace_id": TRACE_ID, "value": 1}, path="/feedback")[0] == 404
    otlp = Settings(otlp_endpoint="http://127.0.0.1:4318/v1/traces")
    assert posting({"trace_id": TRACE_ID, "value": 1}, otlp)[0] == 404


def test_spooled_scores_are_read_once_each():
    score = {"id": "a", "traceId": TRACE_ID, "value": 1}
    lines = [spool.score_record(score), "other", spool.score_record({**score, "value": -1}), json.dumps({})]
    assert list(spool.read_scores(lines)) == [{**score, "value": -1}]
    assert deque(spool.read(lines)) == deque()
