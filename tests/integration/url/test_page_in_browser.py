"""The page in a real browser, on a served function: `hatch run test`."""

import contextlib
import json
import re
import time

import httpx
import pytest

from tests.browser import Keys, needs_browser
from tools.local.fakes.bedrock_server import FakeBedrock
from tools.local.fakes.langfuse_server import FakeLangfuse

pytestmark = needs_browser
PAGE = {"PAGE": "true"}


@pytest.fixture(scope="module")
def langfuse():
    with FakeLangfuse() as langfuse:
        yield langfuse


@pytest.fixture(scope="module")
def page(serve, langfuse):
    """The page of a streaming function whose model takes its time."""
    keys = {
        "LANGFUSE_PUBLIC_KEY": "pk-lf-local",
        "LANGFUSE_SECRET_KEY": "sk-lf-local",
        "LANGFUSE_HOST": langfuse.url,
    }
    with (
        FakeBedrock(word_interval_s=0.04) as model,
        serve(bedrock_url=model.url, environment={**PAGE, **keys}) as served,
    ):
        yield served


@pytest.fixture(scope="module")
def quick_page(serve, bedrock):
    with serve(bedrock_url=bedrock.url, environment=PAGE) as served:
        yield served


def test_an_answer_is_shown_as_it_streams_and_its_trace_arrives_later(page, tab, langfuse):
    tab.open(page.url)
    tab.shoot("welcome")
    tab.ask("Tell me something. [[say 60]]")
    lengths = []
    tab.wait(lambda: tab.text(".answer"))
    while tab.busy:
        lengths.append(len(tab.text(".answer")))
        if len(lengths) == 5:
            tab.shoot("streaming")
        time.sleep(0.1)
    tab.shoot("answered")
    assert len(set(lengths)) >= 5
    assert lengths == sorted(lengths)
    facts = tab.text(".facts")
    assert re.match(r"\d+(\.\d)? s", facts)
    assert "tokens" in facts
    assert "Answer complete" in tab.text("#status")
    trace_id = tab.one(".facts a").get_attribute("href").rpartition("/")[2]
    assert langfuse.wait_for(trace_id).root
    assert tab.one(".facts a").get_attribute("rel") == "noopener noreferrer"


def test_a_vote_becomes_a_score_of_the_trace(page, tab, langfuse):
    tab.open(page.url).ask("What is 2+2?")
    tab.wait_for_answer()
    trace_id = tab.one(".facts a").get_attribute("href").rpartition("/")[2]
    for label, value in (("Good answer", 1), ("Bad answer", -1)):
        tab.press(label)
        tab.wait(lambda value=value: vote(tab, value) == "true")
        tab.wait(lambda value=value: score(page, langfuse, trace_id) == value)
    assert vote(tab, 1) == "false"


def vote(tab, value):
    return tab.one(f"[data-vote='{value}']").get_attribute("aria-pressed")


def score(page, langfuse, trace_id):
    """The value of the trace's feedback; the request has what could not be sent exported again."""
    httpx.get(f"{page.url}health", timeout=60, trust_env=False)
    return langfuse.records.scores.get(f"{trace_id}-user-feedback", {}).get("value")


def test_tools_are_shown_as_they_run(page, tab):
    tab.open(page.url).ask("What is 6 * 7?")
    tab.wait(lambda: "calculator" in tab.text(".tool"))
    tab.wait_for_answer()
    assert tab.text(".tool summary") == "calculator done"
    arguments, returned = (found.get_attribute("textContent") for found in tab.all(".tool pre"))
    assert json.loads(arguments) == {"expression": "6 * 7"}
    assert returned == "42"
    assert tab.text(".answer").startswith("Let me use calculator.")
    assert "42" in tab.text(".answer")
    tab.shoot("tools")


def test_a_buffered_answer_is_shown_too(serve, bedrock, tab):
    with serve(bedrock_url=bedrock.url, streaming=False, environment=PAGE) as served:
        tab.open(served.url).ask("What is 6 * 7?")
        tab.wait_for_answer()
        assert "42" in tab.text(".answer")
        assert "tokens" in tab.text(".facts")


@pytest.mark.parametrize(
    ("query", "words"),
    [("[[deny]]", "The model is not available"), ("[[cut]]", "The agent could not answer")],
)
def test_errors_are_explained(quick_page, tab, query, words):
    tab.open(quick_page.url).ask(f"Hello {query}")
    tab.wait_for_answer()
    assert tab.text(".problem b") == words
    assert len(tab.text(".problem")) > len(words) + 20
    assert "run " in tab.text(".facts")
    assert words in tab.text("#status")
    tab.shoot("error")


def test_a_busy_function_is_reported(serve, bedrock, tab):
    with serve(bedrock_url=bedrock.url, environment=PAGE, reserved_concurrency=1) as served:
        tab.open(served.url)
        with contextlib.closing(served.post("[[drip]]")):
            tab.ask("Have you time for me?")
            tab.wait(lambda: tab.text(".problem"))
    assert "Too many questions at the same time" in tab.text(".problem")


def test_an_unreachable_function_is_reported(serve, bedrock, tab):
    with contextlib.ExitStack() as stack:
        served = stack.enter_context(serve(bedrock_url=bedrock.url, environment=PAGE))
        tab.open(served.url)
        stack.close()
    tab.ask("Anybody there?")
    tab.wait(lambda: "connection was lost" in tab.text(".problem"))
    tab.console()


def test_an_answer_can_be_stopped_and_the_next_asked(page, tab):
    tab.open(page.url).ask("Go on. [[say 500]]")
    tab.wait(lambda: tab.text(".answer"))
    tab.type(Keys.ESCAPE)
    tab.wait(lambda: not tab.busy)
    assert "You stopped" in tab.text(".note")
    tab.ask("What is 6 * 7?")
    tab.wait_for_answer()
    assert "42" in tab.text("article:last-of-type .answer")


def test_html_in_an_answer_is_text(quick_page, tab):
    attack = "<img src=x onerror=document.title='owned'><script>document.title='owned'</script>"
    tab.open(quick_page.url)
    title = tab.driver.title
    tab.ask("[[tool current_time " + json.dumps({"timezone": attack}) + "]]")
    tab.wait_for_answer()
    assert attack in tab.text(".answer")
    assert tab.run("document.querySelectorAll('article img, article script').length") == 0
    assert tab.driver.title == title
    tab.shoot("html")


@pytest.mark.parametrize("width", [320, 390])
def test_a_narrow_screen_shows_the_whole_page(page, tab, width):
    tab.open(page.url, width=width, height=640, dark=True)
    tab.shoot(f"narrow-{width}-welcome")
    tab.ask("What is 6 * 7?")
    tab.wait_for_answer()
    tab.shoot(f"narrow-{width}")
    assert tab.run("document.documentElement.scrollWidth <= innerWidth")
    box = tab.run("document.querySelector('#send').getBoundingClientRect().toJSON()")
    assert box["width"] >= 44
    assert box["height"] >= 44
    assert box["x"] + box["width"] <= width
    assert box["y"] + box["height"] <= 640


def test_the_page_works_with_the_keyboard_alone(quick_page, tab):
    tab.open(quick_page.url)
    assert tab.run("document.activeElement.id") == "query"
    tab.type("What is 6 * 7?" + Keys.SHIFT + Keys.ENTER + Keys.SHIFT + "Please.")
    assert tab.run("document.querySelectorAll('article').length") == 0
    tab.type(Keys.ENTER)
    tab.wait_for_answer()
    assert tab.run("document.activeElement.id") == "query"
    reached = []
    for _ in range(6):
        tab.type(Keys.SHIFT + Keys.TAB + Keys.SHIFT)
        reached.append(tab.run("document.activeElement.id"))
    assert "fresh" in reached


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_no_barrier_on_a_served_page(quick_page, tab, dark):
    axe = pytest.importorskip("axe_core_python.selenium").Axe()
    tab.open(quick_page.url, dark=dark)
    assert axe.run(tab.driver)["violations"] == []
    tab.ask("What is 6 * 7?")
    tab.wait_for_answer()
    tab.ask("Hello [[deny]]")
    tab.wait_for_answer()
    assert axe.run(tab.driver)["violations"] == []


def test_the_session_lasts_as_long_as_the_tab(quick_page, tab, bedrock):
    tab.open(quick_page.url).ask("What is 6 * 7?")
    tab.wait_for_answer()
    session = tab.run("sessionStorage.session")
    assert len(session) == 32
    tab.driver.refresh()
    tab.ask("What is 6 * 8?")
    tab.wait_for_answer()
    assert tab.run("sessionStorage.session") == session
    tab.one("#fresh").click()
    assert tab.run("document.querySelectorAll('article').length") == 0
    tab.ask("What is 6 * 9?")
    tab.wait_for_answer()
    assert tab.run("sessionStorage.session") != session


def test_the_page_sends_requests_to_its_own_origin_only(quick_page, tab):
    tab.open(quick_page.url).ask("What is 6 * 7?")
    tab.wait_for_answer()
    asked = tab.run("performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert {name for name in asked if not name.startswith("data:")} == {quick_page.url}
