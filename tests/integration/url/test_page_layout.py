"""The page's layout on a phone and on a desktop, on paper, and for assistive technology."""

import base64

import pytest

from tests.browser import needs_browser
from tests.integration.url.scripted_function import ScriptedAnswer, error, result, text

pytestmark = needs_browser

WIDE = """\
Here is code:

```python
value = "one long line of code that must scroll in its own box and not widen the conversation" * 3
```

| a column with a long heading | another column with a long heading | a third one with a long heading |
|---|---|---|
| averyveryverylongwordwithoutanyspaces | averyveryverylongwordwithoutanyspaces | averyveryverylongword |

averyveryverylongwordwithoutanyspacesaveryveryverylongwordwithoutanyspacesaveryveryverylongwordwithoutanyspaces
"""
SIZES = [(320, 640), (390, 844), (1280, 800)]


def everything(tab, scripted, width, height, *, dark=False):
    tools = [
        (
            "tool",
            {"id": "1", "name": "calculator", "state": "started", "input": {"expression": "6 * 7" * 40}},
        ),
        ("tool", {"id": "1", "name": "calculator", "state": "finished", "output": "42 " * 200}),
    ]
    extras = {"data": {"long": "x" * 300}, "citations": [{"text": "y" * 300, "source": "s3://" + "z" * 200}]}
    scripted.answers.append(ScriptedAnswer([*tools, ("text", {"text": WIDE}), result(WIDE, **extras)]))
    scripted.answers.append(error(502, "model_error", "The model answered nothing. " + "w" * 200))
    tab.open(scripted.url, width=width, height=height, dark=dark)
    tab.ask("Show me everything " + "v" * 200)
    tab.wait_for_answer()
    tab.click(".tool summary")
    tab.ask("And an error")
    tab.wait_for_answer(2)


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_nothing_widens_the_conversation(tab, scripted, width, height):
    everything(tab, scripted, width, height, dark=width < 390)
    tab.shoot(f"everything-{width}")
    assert tab.run("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    parts = "document.querySelectorAll('article, .text, .code, .table, .facts, .extras')"
    edges = tab.run(f"Array.from({parts}, (found) => found.getBoundingClientRect().right)")
    assert max(edges) <= width
    box = tab.one("#send").rect
    assert box["width"] >= 44
    assert box["height"] >= 44


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_only_the_document_scrolls(tab, scripted, width, height):
    everything(tab, scripted, width, height)
    boxes = "document.querySelectorAll('body, main, #log, form, header, #ask, #query')"
    overflows = "({scrollHeight, clientHeight}) => scrollHeight > clientHeight"
    may_scroll = "(found) => /auto|scroll/.test(getComputedStyle(found).overflowY)"
    scrolling = tab.run(f"Array.from({boxes}).filter({may_scroll}).filter({overflows}).length")
    assert scrolling == 0
    assert tab.run("document.documentElement.scrollHeight > innerHeight")


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_the_header_the_text_and_the_field_are_aligned(tab, scripted, width, height):
    everything(tab, scripted, width, height)
    left = "document.querySelector('{}').getBoundingClientRect().left"
    right = "document.querySelector('{}').getBoundingClientRect().right"
    assert len({round(tab.run(left.format(part))) for part in ("header svg", ".answer", "#query")}) == 1
    assert len({round(tab.run(right.format(part))) for part in ("#fresh", ".question", "#query")}) == 1


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_the_field_stays_in_view_wherever_the_reader_is(tab, scripted, width, height):
    everything(tab, scripted, width, height)
    for position in (0, 300, 100_000):
        tab.run(f"scrollTo(0, {position})")
        box = tab.run("document.querySelector('#query').getBoundingClientRect().toJSON()")
        assert 0 < box["top"] < box["bottom"] <= height


def test_printing_gives_the_whole_conversation_on_light_paper(tab, scripted):
    answers = [
        text("\n\n".join(f"ScriptedAnswer {answer}, paragraph {number}." for number in range(40)))
        for answer in "ab"
    ]
    scripted.answers.extend(answers)
    tab.open(scripted.url, dark=True)
    for count in (1, 2):
        tab.ask(f"Question {count}")
        tab.wait_for_answer(count)
    printed = tab.driver.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})
    pages = base64.b64decode(printed["data"]).count(b"/Type /Page\n")
    tab.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert tab.run("getComputedStyle(document.documentElement).backgroundColor") == "rgb(250, 249, 246)"
    parts = "document.querySelectorAll('header, #ask, .actions')"
    assert set(tab.run(f"Array.from({parts}, (found) => getComputedStyle(found).display)")) == {"none"}
    tab.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    assert pages >= 3


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_no_barrier(tab, scripted, dark, width):
    axe = pytest.importorskip("axe_core_python.selenium").Axe()
    tab.open(scripted.url, width=width, dark=dark)
    assert axe.run(tab.driver)["violations"] == []
    everything(tab, scripted, width, 800, dark=dark)
    assert axe.run(tab.driver)["violations"] == []
