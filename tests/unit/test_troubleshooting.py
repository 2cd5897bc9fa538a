"""docs/troubleshooting.md lists every error message that a user can see, by its first words."""

import ast
import functools
import re
from pathlib import Path

from traced_agent.errors import STATUS

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "troubleshooting.md"
SOURCES = [
    *ROOT.glob("infra/**/*.py"),
    *ROOT.glob("layers/*.py"),
    *ROOT.glob("packages/traced_agent/src/**/*.py"),
    *ROOT.glob("tools/**/*.py"),
]
SHOWN = {
    "ApiError",
    "ContextError",
    "ExportError",
    "Failure",
    "LayerError",
    "ModelError",
    "RegionError",
    "SecretError",
    "SettingsError",
}
"""Exceptions whose message reaches the user: in a response, in a terminal or in the log."""


RETURNING = {
    ROOT / "layers" / "__init__.py",
    *ROOT.glob("packages/traced_agent/src/**/errors.py"),
    *ROOT.glob("packages/traced_agent/src/**/errors/*.py"),
    ROOT / "packages" / "traced_agent" / "src" / "traced_agent" / "bedrock_denials.py",
    ROOT / "tools" / "aws" / "langfuse_project.py",
}
"""Files whose functions return messages to those that raise them."""


def literal(node):
    """A message as the code contains it, with … for what is filled in; None if it is elsewhere."""
    match node:
        case ast.Constant(value=str() as text):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(literal(part) or "…" for part in parts)
        case ast.IfExp(body=body):
            return literal(body)
    return None


def name_of(call):
    function = call.func
    return function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")


def arguments_of(node, *, returned):
    """The literals that may be messages: an exception's, those beside an error code, and returned ones."""
    match node:
        case ast.Call(args=arguments) if name_of(node) in SHOWN:
            return arguments
        case ast.Tuple(elts=elements) if any(
            isinstance(element, ast.Constant) and element.value in STATUS for element in elements
        ):
            return elements
        case ast.Return(value=value) | ast.Assign(value=value) if returned:
            return [value]
    return []


def messages_of(source):
    """Each message in a file with its place."""
    for node in ast.walk(ast.parse(source.read_text("utf-8"))):
        for text in map(literal, arguments_of(node, returned=source in RETURNING)):
            if text and len(re.findall(r"\w{2,}", text)) > 2:
                yield (
                    re.sub(r"\{\w+\}", "…", re.sub(r"\s+", " ", text)),
                    f"{source.relative_to(ROOT).as_posix()}:{node.lineno}",
                )


def listed():
    """The first words of every row."""
    return re.findall(r"^\| `` ?(.+?) ?`` \||^\| `([^`]+)` \|", PAGE.read_text("utf-8"), re.MULTILINE)


@functools.cache
def messages():
    """Each message in the source with its place; found by a test, not whenever pytest collects tests."""
    return [found for source in sorted(SOURCES) for found in messages_of(source)]


LISTED = ["".join(row) for row in listed()]


def test_messages_are_found_in_the_source():
    assert len(messages()) > 60


def test_every_message_is_listed_by_its_first_words():
    missing = [
        f"| `{' '.join(text.split()[:6])}` | what to do |   <- {place}: {text}"
        for text, place in messages()
        if not text.startswith(tuple(LISTED))
    ]
    assert not missing, f"add these rows to {PAGE.name}, with what to do:\n" + "\n".join(missing)


def test_every_listed_message_is_in_the_source():
    texts = tuple(text for text, _ in messages())
    gone = [first for first in LISTED if not any(text.startswith(first) for text in texts)]
    assert not gone, f"no error begins like these: remove or change the rows in {PAGE.name}:\n" + "\n".join(
        gone
    )


def test_the_first_words_distinguish_the_messages():
    assert [first for first in LISTED if len(first.replace("…", "").split()) < 2] == []
    assert sorted(LISTED) == sorted(set(LISTED))
