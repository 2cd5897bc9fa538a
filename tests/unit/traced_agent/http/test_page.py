import base64
import hashlib
import html
import json
import re
import sys
import types

import pytest

from traced_agent.http import page
from traced_agent.http.info import read_suggestions
from traced_agent.settings import Settings, SettingsError


def served(*, suggestions=(), feedback=False, **settings):
    return page.response(Settings(**settings), suggestions=suggestions, feedback=feedback)


def config(**given):
    [found] = re.findall(r'<body data-config="([^"]*)">', served(**given).body)
    return json.loads(html.unescape(found))


def test_the_page_has_at_most_60_kilobytes():
    assert len(served().body.encode()) <= 60_000


def test_the_page_loads_nothing_from_elsewhere():
    body = served().body
    loads = re.findall(r"""(?:src|href|action)\s*=\s*["']([^"']*)|url\(([^)]*)\)|@import""", body)
    assert [place for place, _ in loads if not place.startswith("data:")] == []
    assert set(re.findall(r"fetch\(([^,]*)", body)) == {'"./"', '"./feedback"'}


def test_only_the_pages_own_script_and_style_may_run():
    response = served(bedrock_model_id="m", session_bucket="b")
    policy = dict(part.split(" ", 1) for part in response.headers["content-security-policy"].split("; "))
    for element in ("script", "style"):
        [content] = re.findall(rf"<{element}>(.*?)</{element}>", response.body, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert policy[f"{element}-src"] == f"'sha256-{digest}'"
    assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert policy["connect-src"] == "'self'"
    assert "unsafe" not in response.headers["content-security-policy"]


def test_nothing_in_the_page_needs_what_the_policy_forbids():
    body = served().body
    assert not re.search(r"<[^>]+\s(style|on\w+)\s*=", body)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|Function\(", body)


@pytest.mark.parametrize("text", ['"><script>x', "{{script}}", "</script>", "'&<"])
def test_the_configuration_cannot_break_out_of_its_attribute(text):
    given = {"bedrock_model_id": text, "suggestions": (text,)}
    assert config(**given)["model"] == text
    assert config(**given)["suggestions"] == [text]
    assert '"><script>x' not in served(**given).body


def test_the_page_knows_what_the_server_offers():
    assert config() == {**config(), "sessions": False, "suggestions": [], "feedback": False}
    offered = config(session_bucket="b", suggestions=("Why?",), feedback=True)
    assert offered == {**offered, "sessions": True, "suggestions": ["Why?"], "feedback": True}


def test_the_page_supports_screen_readers():
    body = served().body
    assert '<html lang="en">' in body
    assert 'for="query"' in body
    assert 'role="status"' in body
    assert "prefers-reduced-motion" in body


@pytest.fixture
def agent_module(monkeypatch):
    """A module that defines `build_agent`, with or without suggestions."""

    def define(**names):
        module = types.ModuleType("an_agent")
        exec("def build_agent(model): ...", module.__dict__)
        vars(module).update(names)
        monkeypatch.setitem(sys.modules, "an_agent", module)
        return module.build_agent

    return define


def test_suggestions_come_from_the_module_of_build_agent(agent_module):
    assert read_suggestions(agent_module(SUGGESTIONS=["Why?", "How?"])) == ("Why?", "How?")
    assert read_suggestions(agent_module()) == ()
    assert read_suggestions(print) == ()


@pytest.mark.parametrize("invalid", ["Why?", [1], {"Why?"}, None])
def test_suggestions_that_are_not_a_list_of_strings_are_rejected(agent_module, invalid):
    with pytest.raises(SettingsError, match="SUGGESTIONS in the agent's module must be a list of strings"):
        read_suggestions(agent_module(SUGGESTIONS=invalid))
