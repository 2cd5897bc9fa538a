import base64
import hashlib
import re

from traced_agent.http import page
from traced_agent.settings import Settings


def served(**settings):
    return page.response(Settings(**settings))


def test_the_page_is_light():
    assert len(served().body.encode()) <= 30_000


def test_the_page_loads_nothing_from_elsewhere():
    body = served().body
    loads = re.findall(r"""(?:src|href|action)\s*=\s*["']([^"']*)|url\(([^)]*)\)|@import""", body)
    assert [place for place, _ in loads if not place.startswith("data:")] == []
    assert 'fetch("./"' in body


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


def test_the_model_id_cannot_break_out_of_its_attribute():
    assert '"><script>x' not in served(bedrock_model_id='"><script>x').body


def test_the_page_knows_whether_conversations_go_on():
    assert 'data-sessions="false"' in served().body
    assert 'data-sessions="true"' in served(session_bucket="b").body


def test_the_page_speaks_to_screen_readers():
    body = served().body
    assert '<html lang="en">' in body
    assert 'for="query"' in body
    assert 'role="status"' in body
    assert "prefers-reduced-motion" in body
