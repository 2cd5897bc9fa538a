"""A browser tab that shows the page."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is in the environment `test`")
from selenium.common.exceptions import StaleElementReferenceException  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
CHROMEDRIVER = shutil.which("chromedriver")
needs_browser = pytest.mark.skipif(
    not (CHROMIUM and CHROMEDRIVER), reason="no chromium and chromedriver on this machine"
)


def start_driver() -> Any:
    """A headless Chromium that keeps its console messages."""
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(service=webdriver.ChromeService(CHROMEDRIVER), options=options)


class Tab:
    """The page in a tab: types, clicks and reads what is shown."""

    def __init__(self, driver: Any, screenshots: Path) -> None:
        self.driver = driver
        self.screenshots = screenshots

    def open(self, url: str, *, width: int = 1000, height: int = 760, dark: bool = False) -> "Tab":
        self.resize(width, height)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        self.driver.get(url)
        return self

    def resize(self, width: int, height: int) -> None:
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def type(self, text: str) -> None:
        self.driver.switch_to.active_element.send_keys(text)

    def paste(self, text: str) -> None:
        """Put a text into the field at once, as a paste does."""
        self.run(f"insert({json.dumps(text)}); function insert(text) {{ query.value = text;"
                 " query.dispatchEvent(new Event('input')) }")  # fmt: skip

    def ask(self, query: str) -> None:
        self.one("#query").send_keys(query, Keys.ENTER)

    def one(self, selector: str) -> Any:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list[Any]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector: str) -> str:
        """The text of the last element that matches.

        The page reads it: an element that WebDriver found may be replaced before WebDriver reads its text.
        """
        script = "return Array.from(document.querySelectorAll(arguments[0])).at(-1)?.textContent ?? ''"
        return str(self.driver.execute_script(script, selector))

    def click(self, selector: str) -> None:
        self._click(self.one(selector))

    def press(self, label: str) -> None:
        """Click the last button with this text or label."""
        buttons = [
            found
            for found in self.all("button")
            if label in (found.text, found.get_attribute("aria-label")) and found.is_displayed()
        ]
        self._click(buttons[-1])

    def _click(self, found: Any) -> None:
        # WebDriver itself scrolls an element to the edge, where the header covers it.
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", found)
        found.click()

    def wait(self, done: Any, seconds: float = 60) -> Any:
        replaced = [StaleElementReferenceException]
        return WebDriverWait(self.driver, seconds, 0.05, replaced).until(lambda _: done())

    def wait_for_answer(self, count: int = 1) -> None:
        """Wait until this many questions are asked and none is still answered."""
        self.wait(lambda: len(self.all("article")) >= count and not self.busy)

    @property
    def busy(self) -> bool:
        return bool(self.all("article[aria-busy=true]"))

    def run(self, script: str) -> Any:
        return self.driver.execute_script(f"return {script}")

    def shoot(self, name: str) -> None:
        self.driver.save_screenshot(str(self.screenshots / f"{name}.png"))

    def console(self) -> list[str]:
        """Messages of the console, without those for the status codes that tests cause."""
        messages = [entry["message"] for entry in self.driver.get_log("browser")]
        return [message for message in messages if "responded with a status of" not in message]
