"""The soak test's client and report, without a cloud."""

import json
import random
from collections import Counter

import httpx
import pytest

from tools.bench import soak
from tools.bench.__main__ import bench, parse
from tools.bench.soak import Findings, report
from tools.bench.soak_plan import Plan
from tools.bench.soak_processes import ProcessFigures, growth, sample
from tools.bench.soak_session import QUERIES, Outcome, SoakSession
from tools.local.fakes.bedrock_faults import FAULTS

ANSWER = {"success": True, "response": "Yes.", "stop_reason": "end_turn", "trace_id": "t1"}
INTERRUPTED = {**ANSWER, "stop_reason": "interrupt", "interrupts": [{"id": "v1:a"}, {"id": "v1:b"}]}
BUSY = {"success": False, "error": {"code": "session_busy", "message": "busy"}, "trace_id": None}


def error(code, **more):
    return {"success": False, "error": {"code": code, "message": "", **more}, "trace_id": "t2"}


def stream(*events):
    return "".join(f"event: {name}\ndata: {json.dumps(data)}\n\n" for name, data in events)


@pytest.fixture
def session():
    """Makes a session whose requests get these answers in order; a string is an event stream."""
    sent = []

    def make(*answers, seed=0):
        left = list(answers)

        def respond(request):
            sent.append(json.loads(request.content))
            answer = left.pop(0)
            if isinstance(answer, str):
                return httpx.Response(200, headers={"content-type": "text/event-stream"}, text=answer)
            return httpx.Response(200 if answer["success"] else 502, json=answer)

        client = httpx.Client(transport=httpx.MockTransport(respond))
        direct = lambda payload: json.dumps({"statusCode": 200, "body": json.dumps(ANSWER)}).encode()  # noqa: E731
        made = SoakSession("http://function/", direct, "s-1", client, random.Random(seed))
        made.sent = sent
        return made

    return make


def test_a_buffered_answer_is_an_outcome_with_its_trace(session):
    outcome = session(ANSWER)._send("question", {"query": "Hi"}, "buffered")
    assert (outcome.status, outcome.result, outcome.trace_id) == (200, "end_turn", "t1")


def test_a_direct_answer_is_read_from_its_body(session):
    assert session()._send("question", {"query": "Hi"}, "direct").result == "end_turn"


def test_a_stream_is_joined_and_a_reset_discards_its_text(session):
    events = [("start", {}), ("text", {"text": "Ye"}), ("reset", {}), ("text", {"text": "Yes."})]
    outcome = session(stream(*events, ("result", ANSWER)))._send("question", {"query": "Hi"}, "streamed")
    assert (outcome.result, outcome.text_differs) == ("end_turn", False)
    without_reset = [event for event in events if event[0] != "reset"]
    doubled = stream(*without_reset[:2], ("result", ANSWER))
    assert session(doubled)._send("question", {"query": "Hi"}, "streamed").text_differs


def test_a_stream_without_its_last_event_is_not_an_answer(session):
    outcome = session(stream(("start", {}), ("text", {"text": "Ye"})))._send("x", {}, "streamed")
    assert outcome.result == "no answer"


def test_a_disconnected_client_knows_the_trace(session):
    outcome = session(stream(("start", {"trace_id": "t3"})))._send("x", {}, "disconnected")
    assert (outcome.result, outcome.trace_id) == ("left", "t3")


def test_the_next_question_waits_while_the_session_is_busy_and_answers_its_interrupts(session):
    made = session(BUSY, INTERRUPTED, ANSWER, ANSWER)
    assert made.check().result == "end_turn"
    assert [sorted(body) for body in made.sent] == [
        ["query", "session_id"],
        ["query", "session_id"],
        ["interrupt_responses", "session_id"],
        ["query", "session_id"],
    ]
    assert [one["id"] for one in made.sent[2]["interrupt_responses"]] == ["v1:a", "v1:b"]


def test_interrupts_that_an_error_names_are_answered(session):
    message = "…: send interrupt_responses with the ids v1:a, v1:b, or use another session_id"
    waiting = error("invalid_request", field="interrupt_responses", message=message)
    made = session(waiting, ANSWER, ANSWER)
    assert made.check().result == "end_turn"
    assert [one["id"] for one in made.sent[1]["interrupt_responses"]] == ["v1:a", "v1:b"]


def test_a_session_that_fails_is_reported_as_it_is(session):
    assert session(error("model_error")).check().result == "model_error"


def test_every_kind_of_request_is_sent(session):
    made = session(*[ANSWER] * 400)
    made._exchange = lambda body, way: (200, ANSWER, None)
    outcomes = [made.send_next() for _ in range(300)]
    assert {outcome.kind for outcome in outcomes} == set(QUERIES)
    assert {outcome.way for outcome in outcomes} == {"buffered", "streamed", "direct", "disconnected"}


def outcome(result="end_turn", trace_id="t1", **more):
    return Outcome("question", "buffered", 200, result, 0.1, trace_id, **more)


ALL_FAULTS = Counter(dict.fromkeys(FAULTS, 1), ok=4)


def found(*, outcomes=(), checks=(), injected=ALL_FAULTS, rejected=()):
    processes = [{7: ProcessFigures(100.0, 9, 20)}, {7: ProcessFigures(110.0, 10, 21)}]
    phases = [[outcome(), *outcomes]]
    return Findings(
        phases, [outcome(), *checks], {"t1"}, processes, Counter(injected), Counter(rejected), seconds=60.0
    )


FAILURES = {
    "sessions that cannot answer": found(checks=[outcome("model_error")]),
    "conversations that Bedrock rejects": found(rejected=["must alternate"]),
    "traces that were lost": found(outcomes=[outcome(trace_id="t9")]),
    "joined text": found(outcomes=[outcome(text_differs=True)]),
    "internal errors": found(outcomes=[outcome("internal_error")]),
}


def test_a_soak_test_without_failures_meets_every_claim():
    part = report(found())
    assert [claim.what for claim in part.claims if not claim.holds] == []
    assert bench(["soak"], measure=lambda _: part) == 0


@pytest.mark.parametrize("claim", FAILURES)
def test_each_failure_breaks_its_claim_and_the_exit_code(claim, capsys):
    part = report(FAILURES[claim])
    [broken] = [one for one in part.claims if not one.holds]
    assert claim in broken.what
    assert bench(["soak"], measure=lambda _: part) == 1
    assert f"✗ {broken.what}: 1 (wanted 0)" in capsys.readouterr().err


def test_a_fault_that_was_not_injected_is_counted():
    part = report(found(injected={fault: 1 for fault in FAULTS if fault != "hang"}))
    assert [(one.what, one.measured) for one in part.claims if not one.holds] == [
        ("kinds of faults that were not injected", "1")
    ]
    assert bench(["soak"], measure=lambda _: part) == 0, "a short run has few faults, and does not fail"


def test_memory_growth_is_that_of_each_environment_from_its_first_to_its_last_sample():
    first = {1: ProcessFigures(100.0, 1, 1), 2: ProcessFigures(50.0, 1, 1)}
    second = {1: ProcessFigures(110.0, 1, 1), 3: ProcessFigures(200.0, 1, 1)}
    assert growth([first, second]) == 1.1
    assert growth([first, second, {3: ProcessFigures(260.0, 1, 1)}]) == pytest.approx(1.2)
    assert growth([first, {3: ProcessFigures(100.0, 1, 1)}]) == float("inf")


def test_a_process_has_memory_threads_and_open_files():
    import os

    figures = sample([os.getpid()])[os.getpid()]
    assert figures.resident_mb > 1
    assert figures.threads >= 1
    assert figures.open_files >= 3


def test_the_command_takes_the_length_and_the_faults():
    options = parse(["soak", "--minutes", "60", "--rate", "5", "--faults", "0.01"])
    assert (options.requests, options.minutes, options.rate, options.faults) == (2000, 60.0, 5.0, 0.01)


@pytest.mark.parametrize(
    "arguments", [("--requests", "0"), ("--minutes", "-1"), ("--rate", "-1"), ("--faults", "1.5")]
)
def test_an_impossible_length_is_rejected_in_one_line(arguments, capsys):
    with pytest.raises(SystemExit):
        parse(["soak", *arguments])
    assert f"{arguments[0]} " in capsys.readouterr().err.splitlines()[-1]


class FakeCloud:
    """A cloud whose every session answers."""

    url = "http://function/"

    def __init__(self):
        self.faults = "ok"
        self.bedrock = self.langfuse = self.pool = self
        self.word_interval_s = 0.0
        self.injected, self.rejected = Counter(), Counter()

    def update(self, _code):
        return None

    def inject_share(self, faults, share):
        self.faults = share

    def inject_fault(self, fault):
        self.faults = fault

    def drain(self):
        return []

    def traces(self):
        return []


def test_a_long_session_is_replaced_and_checked_when_no_more_faults_are_injected(monkeypatch):
    cloud, checked, sent = FakeCloud(), [], Counter()

    def send_next(self):
        self.turns += 1
        sent[self.session_id] += 1
        return outcome()

    def check(self):
        checked.append((self.session_id, cloud.faults))
        return outcome()

    monkeypatch.setattr(SoakSession, "send_next", send_next)
    monkeypatch.setattr(SoakSession, "check", check)
    monkeypatch.setattr(soak, "MAX_TURNS", 10)
    monkeypatch.setattr(soak.function_asset, "assembled", lambda agent: agent)

    found = soak.soak(cloud, Plan(requests=60, sessions=2, clients=2, phase=20))

    assert len(found.outcomes) == sum(sent.values()) == 60
    assert len(found.checks) == len(sent) > 2
    at_the_end = checked[-len(found.checks) :]
    assert sorted(session for session, _ in at_the_end) == sorted(sent)
    assert {faults for _, faults in at_the_end} == {"ok"}


def test_a_plan_names_the_options_that_give_it():
    assert Plan().options == ""
    assert Plan(minutes=60, rate=2, faults=0.37).options == "--minutes 60 --rate 2 --faults 0.37"
