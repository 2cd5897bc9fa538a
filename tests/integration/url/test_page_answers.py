"""How the page shows an answer, in a real browser and with a scripted function."""

import json
import threading

import pytest

from tests.browser import needs_browser
from tests.integration.url.scripted_function import ScriptedAnswer, answered, result, success, text

pytestmark = needs_browser


MARKDOWN = """\
## Steps

1. *First* with `snake_case_name`
   - nested
2. **Second**

> A [link](https://strandsagents.com "Strands")

| item | price |
|---|--:|
| tea | 3 |

---

```python
print("a")
```
"""


def test_markdown_is_shown_as_elements(tab, scripted):
    answered(tab, scripted, text(MARKDOWN))
    shape = "Array.from(document.querySelectorAll('.text *'), (found) => found.tagName).join(' ')"
    tags = tab.run(shape).split()
    for tag in ("H4", "OL", "UL", "EM", "STRONG", "BLOCKQUOTE", "TABLE", "TH", "TD", "HR", "PRE"):
        assert tag in tags
    assert tab.text(".text ol ul") == "nested"
    assert "snake_case_name" in tab.text(".text li code")
    assert tab.one(".text blockquote a").get_attribute("href") == "https://strandsagents.com/"
    assert tab.one(".text td.right").text == "3"


def test_markdown_in_small_pieces_gives_the_same_elements(tab, scripted):
    pieces = [("text", {"text": mark}) for mark in MARKDOWN]
    answered(tab, scripted, text(MARKDOWN), ScriptedAnswer([*pieces, result(MARKDOWN)]))
    whole, streamed = (found.get_attribute("innerHTML") for found in tab.all(".answer"))
    assert streamed == whole


def test_code_and_answers_can_be_copied(tab, scripted):
    permissions = ["clipboardReadWrite", "clipboardSanitizedWrite"]
    origin = {"origin": scripted.url.rstrip("/"), "permissions": permissions}
    tab.driver.execute_cdp_cmd("Browser.grantPermissions", origin)
    answered(tab, scripted, text(MARKDOWN))
    read = "navigator.clipboard.readText().then(arguments[0])"
    tab.press("Copy code")
    tab.wait(lambda: tab.text("button.copy") == "Copied")
    assert tab.driver.execute_async_script(read) == 'print("a")'
    tab.press("Copy answer")
    tab.wait(lambda: tab.text("#status") == "Copied.")
    assert tab.driver.execute_async_script(read) == MARKDOWN


def test_html_and_dangerous_links_in_an_answer_are_text(tab, scripted):
    attack = "<img src=x onerror=document.title='owned'> [x](javascript:document.title='owned') ![i](data:x)"
    answered(tab, scripted, text(attack))
    assert tab.text(".text") == attack
    assert tab.all(".text img, .text a") == []


def test_tool_calls_are_shown_in_order_with_arguments_and_results_on_demand(tab, scripted):
    arguments, output = {"expression": "6 * 7"}, "42"
    steps = [
        ("text", {"text": "First I compute."}),
        ("tool", {"id": "1", "name": "calculator", "state": "started", "input": arguments}),
        ("tool", {"id": "2", "name": "clock", "state": "started", "input": {}}),
        ("tool", {"id": "2", "name": "clock", "state": "failed", "output": "no clock"}),
        ("tool", {"id": "1", "name": "calculator", "state": "finished", "output": output}),
        ("text", {"text": "It is 42."}),
        result("It is 42."),
    ]
    answered(tab, scripted, ScriptedAnswer(steps))
    shown = [part.text.split("\n")[0] for part in tab.all(".answer > *")]
    assert shown == ["First I compute.", "calculator done", "clock failed", "It is 42."]
    details = tab.one(".tool")
    assert not details.get_attribute("open")
    tab.click(".tool summary")
    given, returned = (block.text for block in details.find_elements("css selector", "pre"))
    assert json.loads(given) == arguments
    assert returned == output


def test_tools_without_details_show_their_name_and_state(tab, scripted):
    steps = [("tool", {"name": "calculator", "state": state}) for state in ("started", "finished")]
    answered(tab, scripted, ScriptedAnswer([*steps, result("Done.")]))
    assert tab.text(".answer") == "calculator doneDone."
    assert tab.all("details") == []


@pytest.mark.parametrize("first", ["", "Let me compute."])
def test_after_a_reset_the_text_is_shown_once_and_in_order(tab, scripted, first):
    partial = threading.Event()
    steps = [
        *([("text", {"text": first})] if first else []),
        ("tool", {"name": "calculator", "state": "started"}),
        ("tool", {"name": "calculator", "state": "finished"}),
        ("text", {"text": "The ans"}),
        partial,
        ("reset", {"reason": "retry"}),
        *([("text", {"text": first})] if first else []),
        ("text", {"text": "The answer is 42."}),
        result("The answer is 42."),
    ]
    scripted.answers.append(ScriptedAnswer(steps))
    tab.open(scripted.url).ask("A question")
    tab.wait(lambda: tab.text(".text") == "The ans")
    partial.set()
    tab.wait_for_answer()
    shown = [found.text for found in tab.all(".answer > *")]
    assert shown == [*([first] if first else []), "calculator done", "The answer is 42."]


def test_text_that_differs_after_a_reset_replaces_all_text(tab, scripted):
    steps = [
        ("text", {"text": "A secret."}),
        ("tool", {"name": "calculator", "state": "started"}),
        ("tool", {"name": "calculator", "state": "finished"}),
        ("text", {"text": "The rest of it"}),
        ("reset", {"reason": "replaced"}),
        ("text", {"text": "Blocked."}),
        result("Blocked."),
    ]
    answered(tab, scripted, ScriptedAnswer(steps))
    assert [found.text for found in tab.all(".answer > *")] == ["calculator done", "Blocked."]


def test_data_citations_and_interrupts_are_listed(tab, scripted):
    more = {
        "data": {"city": "Tokyo", "hours": [9, 17]},
        "citations": [
            {"text": "A marathon is 42.195 km.", "source": "https://wiki.example/marathon", "score": 0.8231},
            {"text": "It is long.", "source": "s3://bucket/notes.md", "score": 0.5},
        ],
        "stop_reason": "interrupt",
        "interrupts": [{"id": "i1", "name": "approval", "reason": {"delete": "a file"}}],
    }
    answered(tab, scripted, ScriptedAnswer([result("See below.", **more)]))
    assert json.loads(tab.text(".data pre")) == more["data"]
    first, second = (found.text for found in tab.all(".citations li"))
    assert "A marathon is 42.195 km." in first
    assert "score 0.82" in first
    assert tab.one(".citations a").get_attribute("href") == "https://wiki.example/marathon"
    assert "s3://bucket/notes.md" in second
    assert "approval" in tab.text(".interrupts li")
    assert '"delete": "a file"' in tab.text(".interrupts li")
    assert "stopped: interrupt" in tab.text(".facts")


@pytest.mark.parametrize("streamed", [True, False])
def test_an_answer_of_the_fake_model_is_marked(tab, scripted, streamed):
    fake = {"x-local-fake-model": "true"}
    fakes = (
        ScriptedAnswer([result("42")], headers=fake)
        if streamed
        else ScriptedAnswer(body=success("42"), headers=fake)
    )
    answered(tab, scripted, fakes, text("43"))
    [label] = tab.all(".fake")
    assert "Fake model" in label.text
    assert "hatch run local --bedrock" in label.text


@pytest.mark.parametrize(
    ("words", "direction"),
    [("שלום עולם, code", "rtl"), ("مرحبا بالعالم", "rtl"), ("Hello שלום", "ltr")],
)
def test_text_has_the_direction_of_its_script(tab, scripted, words, direction):
    answered(tab, scripted, text(f"- {words}"), text(words))
    for selector in (".question", ".text ul", ".text p"):
        shown = f"getComputedStyle(document.querySelector('{selector}')).direction"
        expected = direction if selector != ".question" else "ltr"
        assert tab.run(shown) == expected


def test_a_stream_that_ends_early_is_an_error(tab, scripted):
    answered(tab, scripted, ScriptedAnswer([("text", {"text": "The ans"})]))
    assert "ended before it was complete" in tab.text(".problem")
    assert tab.text(".text") == "The ans"
