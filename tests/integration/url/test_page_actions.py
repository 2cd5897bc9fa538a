"""What a reader can do with an answer on the page: resume a run, vote, start over."""

import pytest

from tests.browser import Keys, needs_browser
from tests.integration.url.scripted_function import TRACE_ID, ScriptedAnswer, answered, error, result, text

pytestmark = needs_browser


def test_an_interrupt_can_be_answered_and_the_run_continues(tab, scripted):
    interrupts = [{"id": "i1", "name": "approval", "reason": "Delete the file?"}]
    stopped = ScriptedAnswer([result("", stop_reason="interrupt", interrupts=interrupts)])
    answered(tab, scripted, stopped)
    scripted.answers.append(text("Deleted."))
    tab.one(".interrupts input").send_keys("yes", Keys.ENTER)
    tab.wait_for_answer(2)
    assert tab.text(".text") == "Deleted."
    first, second = scripted.requests
    assert second["interrupt_responses"] == [{"id": "i1", "response": "yes"}]
    assert second["session_id"] == first["session_id"]


def test_a_vote_is_sent_and_can_be_changed(tab, scripted):
    answered(tab, scripted, text("Good?"))
    tab.press("Good answer")
    tab.wait(lambda: tab.one("[data-vote='1']").get_attribute("aria-pressed") == "true")
    tab.press("Bad answer")
    tab.wait(lambda: tab.one("[data-vote='-1']").get_attribute("aria-pressed") == "true")
    assert tab.one("[data-vote='1']").get_attribute("aria-pressed") == "false"
    assert scripted.feedback == [{"trace_id": TRACE_ID, "value": 1}, {"trace_id": TRACE_ID, "value": -1}]


def test_a_vote_that_fails_is_reported(tab, scripted):
    answered(tab, scripted, text("Good?"))
    scripted.feedback_status = 500
    tab.press("Good answer")
    tab.wait(lambda: "could not be sent" in tab.text("#status"))
    assert tab.one("[data-vote='1']").get_attribute("aria-pressed") == "false"


def test_an_answer_without_a_trace_takes_no_vote(tab, scripted):
    answered(tab, scripted, ScriptedAnswer([result("No trace.", trace_id=None, trace_url=None)]))
    assert tab.all("[data-vote]") == []
    assert tab.all(".facts a") == []


@pytest.mark.parametrize("code", ["session_busy", "session_full"])
def test_after_a_conflict_the_page_offers_to_start_over(tab, scripted, code):
    scripted.answers.append(error(409, code, "The session cannot take this question."))
    tab.open(scripted.url).ask("Are you there?")
    tab.wait_for_answer()
    tab.shoot(code)
    session = scripted.requests[0]["session_id"]
    tab.press("Start over")
    assert tab.all("article") == []
    assert tab.one("#query").get_attribute("value") == "Are you there?"
    scripted.answers.append(text("Yes."))
    tab.press("Send")
    tab.wait_for_answer()
    assert scripted.requests[1]["session_id"] != session


def test_a_busy_conversation_is_explained_in_a_note_and_can_be_tried_again(tab, scripted):
    scripted.answers.extend([error(409, "session_busy", "HTTP jargon"), text("Here I am.")])
    tab.open(scripted.url).ask("Are you there?")
    tab.wait_for_answer()
    assert "not finished the previous question" in tab.text(".note")
    assert tab.all(".problem") == []
    tab.press("Try again")
    tab.wait(lambda: tab.text(".text") == "Here I am.")
    assert len(tab.all("article")) == 1
    assert scripted.requests[0] == scripted.requests[1]
