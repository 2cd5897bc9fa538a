"""The page's conversation over time: waiting, stopping, scrolling, reloading and typing."""

import threading

import pytest

from tests.browser import Keys, needs_browser
from tests.integration.url.scripted_function import ScriptedAnswer, result, text

pytestmark = needs_browser

LONG = "\n\n".join(f"Paragraph {number}" for number in range(60))


@pytest.fixture
def gate():
    """A point in a stream at which it waits."""
    gate = threading.Event()
    yield gate
    gate.set()


def test_suggestions_come_from_the_server(tab, scripted):
    scripted.answers.append(text("397.8"))
    tab.open(scripted.url)
    [suggestion] = tab.all("#suggestions button")
    assert suggestion.text == "What is 17 % of 2,340?"
    suggestion.click()
    tab.wait_for_answer()
    assert scripted.requests[0]["query"] == "What is 17 % of 2,340?"


def test_elapsed_time_is_shown_while_the_model_is_slow(tab, scripted, gate):
    scripted.answers.append(ScriptedAnswer([gate, result("At last.")]))
    tab.open(scripted.url).ask("Slow?")
    tab.wait(lambda: tab.text(".elapsed") == "Working for 2 s")
    tab.shoot("slow")
    gate.set()
    tab.wait_for_answer()
    assert tab.all(".elapsed") == []


def test_a_stopped_answer_is_not_an_error_and_keeps_its_text(tab, scripted, gate):
    scripted.answers.append(ScriptedAnswer([("text", {"text": "It begins"}), gate]))
    tab.open(scripted.url).ask("A question")
    tab.wait(lambda: tab.text(".text") == "It begins")
    tab.type(Keys.ESCAPE)
    tab.wait_for_answer()
    assert tab.text(".note") == "You stopped this answer."
    assert tab.all(".problem") == []
    assert tab.text(".text") == "It begins"


def test_the_button_stops_an_answer_too(tab, scripted, gate):
    scripted.answers.append(ScriptedAnswer([gate]))
    tab.open(scripted.url).ask("A question")
    tab.wait(lambda: tab.busy)
    tab.press("Stop")
    tab.wait_for_answer()
    assert tab.text(".note") == "You stopped this answer."


def test_starting_over_while_an_answer_runs_leaves_an_empty_page(tab, scripted, gate):
    scripted.answers.extend([ScriptedAnswer([gate]), text("Second")])
    tab.open(scripted.url).ask("First?")
    tab.wait(lambda: tab.busy)
    tab.press("Start over")
    assert tab.all("article") == []
    tab.ask("Second?")
    tab.wait_for_answer()
    assert tab.text(".text") == "Second"
    tab.driver.refresh()
    assert [found.text for found in tab.all(".question")] == ["Second?"]


def test_a_reader_who_has_scrolled_up_stays_there(tab, scripted, gate):
    scripted.answers.append(
        ScriptedAnswer(
            [("text", {"text": LONG}), gate, ("text", {"text": "\n\nEnd"}), result(f"{LONG}\n\nEnd")]
        )
    )
    tab.open(scripted.url).ask("Tell me all.")
    tab.wait(lambda: "Paragraph 59" in tab.text(".text"))
    tab.wait(lambda: tab.run("scrollY > 500"))
    tab.run("scrollTo(0, 100)")
    gate.set()
    tab.wait_for_answer()
    assert tab.run("scrollY") == 100


def test_a_reader_at_the_end_follows_the_answer(tab, scripted):
    scripted.answers.append(text(LONG))
    tab.open(scripted.url).ask("Tell me all.")
    tab.wait_for_answer()
    assert tab.run("document.documentElement.scrollHeight - innerHeight - scrollY < 2")


def test_a_reload_keeps_the_conversation_and_its_session(tab, scripted):
    tools = [("tool", {"name": "calculator", "state": state}) for state in ("started", "finished")]
    scripted.answers.extend([ScriptedAnswer([*tools, result("**42**")]), text("43")])
    tab.open(scripted.url)
    tab.ask("First?")
    tab.wait_for_answer()
    tab.press("Good answer")
    tab.wait(lambda: tab.text("#status").startswith("Thank you"))
    tab.ask("Second?")
    tab.wait_for_answer(2)
    before = tab.run("document.querySelector('#log').innerHTML")
    tab.driver.refresh()
    assert tab.run("document.querySelector('#log').innerHTML") == before
    scripted.answers.append(text("44"))
    tab.ask("Third?")
    tab.wait_for_answer(3)
    assert len({request["session_id"] for request in scripted.requests}) == 1


def test_an_answer_that_a_reload_interrupts_is_marked_and_can_be_requested_again(tab, scripted, gate):
    scripted.answers.extend([ScriptedAnswer([("text", {"text": "It begins"}), gate]), text("Done")])
    tab.open(scripted.url).ask("A question")
    tab.wait(lambda: tab.text(".text") == "It begins")
    tab.driver.refresh()
    assert tab.text(".text") == "It begins"
    assert "closed before this answer was complete" in tab.text(".note")
    tab.press("Try again")
    tab.wait(lambda: tab.text(".text") == "Done")
    assert len(tab.all("article")) == 1


def test_a_new_tab_starts_without_the_conversation(tab, scripted):
    scripted.answers.append(text("42"))
    tab.open(scripted.url).ask("First?")
    tab.wait_for_answer()
    tab.driver.switch_to.new_window("tab")
    tab.driver.get(scripted.url)
    assert tab.all("article") == []
    tab.driver.close()
    tab.driver.switch_to.window(tab.driver.window_handles[-1])


def test_storage_that_is_full_keeps_the_latest_turns(tab, scripted):
    scripted.answers.extend([text("x" * 3_000_000), text("y" * 3_000_000)])
    tab.open(scripted.url)
    tab.ask("First?")
    tab.wait_for_answer()
    tab.ask("Second?")
    tab.wait_for_answer(2)
    tab.driver.refresh()
    assert [found.text for found in tab.all(".question")] == ["Second?"]


@pytest.mark.parametrize("characters", ["a", "😀"])
def test_a_pasted_text_that_is_too_long_is_reported_and_not_cut(tab, scripted, characters):
    tab.open(scripted.url)
    tab.paste(characters * 10_001)
    assert "10,001 of 10,000 characters" in tab.text("#length")
    assert tab.one("#query").get_attribute("aria-invalid") == "true"
    tab.press("Send")
    assert scripted.requests == []
    assert tab.one("#query").get_attribute("value") == characters * 10_001
    scripted.answers.append(text("Long."))
    tab.paste(characters * 10_000)
    assert not tab.one("#length").is_displayed()
    tab.press("Send")
    tab.wait_for_answer()
    assert scripted.requests[0]["query"] == characters * 10_000


@pytest.mark.parametrize("event", ["{isComposing: true}", "{keyCode: 229}"])
def test_an_enter_that_ends_a_composition_does_not_submit(tab, scripted, event):
    tab.open(scripted.url)
    tab.type("にほんご")
    tab.run(f"query.dispatchEvent(new KeyboardEvent('keydown', {{key: 'Enter', bubbles: true, ...{event}}}))")
    assert tab.all("article") == []
    scripted.answers.append(text("はい"))
    tab.type(Keys.ENTER)
    tab.wait_for_answer()
    assert scripted.requests[0]["query"] == "にほんご"
