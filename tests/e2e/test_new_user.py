"""What a new user does: clone, demo, ask on the page, change the prompt, add a tool with a package."""

import json
import os
import re
import signal
import threading
import time

import httpx
import pytest

from tests.browser import Tab, needs_browser, start_driver
from tests.e2e.checkout import ROOT, Checkout
from tools.bench.recipe_pages import RecipePage

PROMPT = (
    "You are a pirate. Answer every question in the language of pirates, and never forget the parrot. " * 3
)
TOOL = re.search(r"```python\n(.+?)```", (ROOT / "docs" / "layers.md").read_text("utf-8"), re.DOTALL)[1]
PROVIDERS = RecipePage.read("other-providers")
URL = re.compile(r"Function URL: (http://127\.0\.0\.1:\d+/)")
SCREENS = {"phone": (390, 844), "desktop": (1280, 800)}

pytestmark = needs_browser


class Local:
    """`hatch run local` in a checkout; Ctrl-C ends it."""

    def __init__(self, checkout):
        self.process = checkout.start("hatch", "run", "local", "-c", "streaming=true", "-c", "sessions=true")
        self.output = []
        threading.Thread(target=self._read, daemon=True).start()
        self.url = URL.search(self.wait_for(URL.search, 300))[1]

    def _read(self):
        self.output += self.process.stdout

    def wait_for(self, matches, seconds):
        until = time.monotonic() + seconds
        while time.monotonic() < until and self.process.poll() is None:
            if found := next(filter(matches, list(self.output)), None):
                return found
            time.sleep(0.1)
        pytest.fail("".join(self.output))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.killpg(self.process.pid, signal.SIGINT)
        self.process.wait(60)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    return Checkout(tmp_path_factory.mktemp("new-user"))


@pytest.fixture(scope="module")
def local(checkout):
    with Local(checkout) as local:
        yield local


@pytest.fixture(scope="module")
def driver():
    driver = start_driver()
    yield driver
    driver.quit()


@pytest.fixture(params=SCREENS)
def tab(request, driver, local, tmp_path):
    """The page on a phone or a desktop, in a new tab."""
    width, height = SCREENS[request.param]
    driver.switch_to.new_window("tab")
    return Tab(driver, tmp_path).open(local.url, width=width, height=height)


def fits(tab):
    return tab.run("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def input_tokens(answer):
    return answer["usage"]["inputTokens"]


def post(url, query):
    return httpx.post(url, json={"query": query}, timeout=60).json()


def test_the_demo_answers_and_shows_its_trace(checkout):
    answer = json.loads(checkout.run("hatch", "run", "demo"))
    assert answer["response"] == "The answer is 84."


def test_every_suggestion_of_the_page_gets_a_sensible_answer(tab):
    suggestions = [found.text for found in tab.all("#suggestions button")]
    assert len(suggestions) == 3
    tab.shoot("welcome")
    for count, question in enumerate(suggestions, 1):
        tab.ask(question)
        tab.wait_for_answer(count)
        tab.shoot(f"suggestion-{count}")
    answers = [found.text for found in tab.all(".text")]
    assert any("397.8" in answer for answer in answers)
    assert any(re.search(r"\d{1,2}:\d{2}", answer) for answer in answers)
    assert any("26.2" in answer for answer in answers)
    assert fits(tab)


def test_a_conversation_on_the_page_leads_to_its_trace(tab):
    tab.ask("What is 6 * 7?")
    tab.wait_for_answer()
    tab.ask("And what is 5 km in mi?")
    tab.wait_for_answer(2)
    tab.shoot("conversation")
    assert "42" in tab.all("article")[0].text
    assert "3.1" in tab.all("article")[1].text
    assert fits(tab)
    for label in tab.all(".fake"):
        assert "hatch run local --bedrock" in label.text
    assert len(tab.all(".fake")) == 2
    trace = tab.one(".facts a").get_attribute("href")
    tab.wait(lambda: httpx.get(trace).status_code == 200)
    tab.driver.get(trace)
    tab.shoot("trace")
    assert "calculator" in tab.text("body")
    assert fits(tab)


def test_a_changed_prompt_is_used_by_the_next_request(checkout, local):
    before = post(local.url, "Hello")
    code = checkout.agent.read_text("utf-8")
    changed = re.sub(r'SYSTEM_PROMPT = """.*?"""', f'SYSTEM_PROMPT = """{PROMPT}"""', code, flags=re.DOTALL)
    assert changed != code
    checkout.agent.write_text(changed, "utf-8")
    after = post(local.url, "Hello")
    assert input_tokens(after) > input_tokens(before)


def test_a_new_tool_with_a_package_works(checkout):
    """The package of a tool and the one of a model provider are added together, to lock and build once."""
    requirements = checkout.folder / "layers" / "strands" / "requirements.in"
    requirements.write_text(requirements.read_text("utf-8").rstrip() + "\nhumanize>=4.12\n", "utf-8")
    add, lock_and_build = PROVIDERS.commands[:2]
    checkout.run("bash", "-c", add)
    output = checkout.run("bash", "-c", lock_and_build)
    assert "humanize" in output
    assert "openai" in output
    tool = re.sub(r"^   ", "", TOOL, flags=re.MULTILINE).replace("from strands import tool\n", "")
    checkout.tools.write_text(checkout.tools.read_text("utf-8") + "\n\n" + tool.strip() + "\n", "utf-8")
    agent = checkout.agent.read_text("utf-8").replace(
        "import calculator,", "import size_in_words, calculator,"
    )
    checkout.agent.write_text(agent.replace("TOOLS = [", "TOOLS = [size_in_words, "), "utf-8")
    with Local(checkout) as local:
        answer = post(local.url, '[[tool size_in_words {"size": 1234567890}]]')
    assert answer["response"] == "The answer is 1.2 GB."
