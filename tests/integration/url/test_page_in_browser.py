"""The page in a real browser, on a served function: `hatch run test`."""

import contextlib
import json
import re
import shutil
import time

import pytest

from tools.local.fakes.bedrock_server import FakeBedrock
from tools.local.fakes.langfuse_server import FakeLangfuse

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is in the environment `test`")
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
CHROMEDRIVER = shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not (CHROMIUM and CHROMEDRIVER), reason="no chromium and chromedriver on this machine"
)
PAGE = {"PAGE": "true"}


class Tab:
    """The page in a tab, with a person's hands and eyes."""

    def __init__(self, driver, shots):
        self.driver = driver
        self._shots = shots

    def open(self, url, *, width=1000, height=760, dark=False):
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        self.driver.get(url)
        return self

    def type(self, text):
        self.driver.switch_to.active_element.send_keys(text)

    def ask(self, query):
        self.one("#query").send_keys(query, Keys.ENTER)

    def one(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def text(self, selector):
        found = self.driver.find_elements(By.CSS_SELECTOR, selector)
        return found[-1].get_attribute("textContent") if found else ""

    def wait(self, done, seconds=15):
        return WebDriverWait(self.driver, seconds, 0.05).until(lambda _: done())

    def wait_for_answer(self):
        self.wait(lambda: self.text("article:last-of-type .facts") and not self.busy)

    @property
    def busy(self):
        return self.one("article:last-of-type").get_attribute("aria-busy") == "true"

    def run(self, script):
        return self.driver.execute_script(f"return {script}")

    def shoot(self, name):
        self.driver.save_screenshot(str(self._shots / f"{name}.png"))

    def complaints(self):
        said = [entry["message"] for entry in self.driver.get_log("browser")]
        return [message for message in said if "responded with a status of" not in message]


@pytest.fixture(scope="module")
def driver():
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(service=webdriver.ChromeService(CHROMEDRIVER), options=options)
    yield driver
    driver.quit()


@pytest.fixture
def tab(driver, tmp_path):
    tab = Tab(driver, tmp_path)
    yield tab
    assert tab.complaints() == []


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


def test_an_answer_can_be_watched_and_its_trace_arrives_after_it(page, tab, langfuse):
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


def test_tools_are_shown_as_they_run(page, tab):
    tab.open(page.url).ask("What is 6 * 7?")
    tab.wait(lambda: "calculator" in tab.text(".tools"))
    tab.wait_for_answer()
    assert tab.text(".tools li") == "calculatordone"
    assert tab.text(".answer").startswith("Let me use calculator.")
    assert "42" in tab.text(".answer")
    tab.shoot("tools")


def test_a_buffered_answer_arrives_all_the_same(serve, bedrock, tab):
    with serve(bedrock_url=bedrock.url, streaming=False, environment=PAGE) as served:
        tab.open(served.url).ask("What is 6 * 7?")
        tab.wait_for_answer()
        assert "42" in tab.text(".answer")
        assert "tokens" in tab.text(".facts")


@pytest.mark.parametrize(
    ("query", "words"),
    [("[[deny]]", "The model is not available"), ("[[cut]]", "That did not work")],
)
def test_errors_are_told_in_words(quick_page, tab, query, words):
    tab.open(quick_page.url).ask(f"Hello {query}")
    tab.wait_for_answer()
    assert tab.text(".problem b") == words
    assert len(tab.text(".problem")) > len(words) + 20
    assert "run " in tab.text(".facts")
    assert words in tab.text("#status")
    tab.shoot("error")


def test_a_function_that_is_busy_is_told_in_words(serve, bedrock, tab):
    with serve(bedrock_url=bedrock.url, environment=PAGE, reserved_concurrency=1) as served:
        tab.open(served.url)
        with contextlib.closing(served.post("[[drip]]")):
            tab.ask("Have you time for me?")
            tab.wait(lambda: tab.text(".problem"))
    assert "Too many questions at once" in tab.text(".problem")


def test_a_function_that_is_gone_is_told_in_words(serve, bedrock, tab):
    with contextlib.ExitStack() as stack:
        served = stack.enter_context(serve(bedrock_url=bedrock.url, environment=PAGE))
        tab.open(served.url)
        stack.close()
    tab.ask("Anybody there?")
    tab.wait(lambda: "connection broke" in tab.text(".problem"))
    tab.complaints()


def test_an_answer_can_be_stopped_and_the_next_asked(page, tab):
    tab.open(page.url).ask("Go on. [[say 500]]")
    tab.wait(lambda: tab.text(".answer"))
    tab.type(Keys.ESCAPE)
    tab.wait(lambda: not tab.busy)
    assert "You stopped" in tab.text(".problem")
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
def test_a_narrow_screen_shows_all_of_it(page, tab, width):
    tab.open(page.url, width=width, height=640, dark=True)
    tab.shoot(f"narrow-{width}-welcome")
    tab.ask("What is 6 * 7?")
    tab.wait_for_answer()
    tab.shoot(f"narrow-{width}")
    assert tab.run("document.documentElement.scrollWidth <= innerWidth")
    box = tab.one("#send").rect
    assert box["width"] >= 44
    assert box["height"] >= 44
    assert box["x"] + box["width"] <= width
    assert box["y"] + box["height"] <= 640


def test_the_keyboard_is_enough(quick_page, tab):
    tab.open(quick_page.url)
    assert tab.run("document.activeElement.id") == "query"
    tab.type("What is 6 * 7?" + Keys.SHIFT + Keys.ENTER + Keys.SHIFT + "Please.")
    assert tab.run("document.querySelectorAll('article').length") == 0
    tab.type(Keys.ENTER)
    tab.wait_for_answer()
    assert tab.run("document.activeElement.id") == "query"
    reached = []
    for _ in range(4):
        tab.type(Keys.SHIFT + Keys.TAB + Keys.SHIFT)
        reached.append(tab.run("document.activeElement.id"))
    assert "fresh" in reached


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_nothing_in_it_shuts_anybody_out(quick_page, tab, dark):
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


def test_it_asks_nobody_else(quick_page, tab):
    tab.open(quick_page.url).ask("What is 6 * 7?")
    tab.wait_for_answer()
    asked = tab.run("performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert {name for name in asked if not name.startswith("data:")} == {quick_page.url}
