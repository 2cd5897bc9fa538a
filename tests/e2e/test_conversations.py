"""Streaming, the page and sessions, as the stack deploys them together."""

import html
import json
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tools.bench import soak
from tools.bench.soak_plan import Plan
from tools.local.fakes.bedrock_faults import FAULTS

SSE = {"accept": "text/event-stream"}


@pytest.fixture
def cloud(variant):
    return variant({"streaming": "true", "sessions": "true"})


def ask(cloud, query, session_id, headers=None):
    body = {"query": query, "session_id": session_id}
    return httpx.post(cloud.url, json=body, headers=headers, timeout=60, trust_env=False)


def shown(cloud):
    """How many messages the model was shown last."""
    return len(cloud.bedrock.requests[-1]["messages"])


def test_a_conversation_streams_continues_and_never_mixes_with_another(cloud):
    _streams_and_leaves_its_trace(cloud)
    _goes_on(cloud)
    _never_mixes(cloud)
    _is_free_after_its_client_left(cloud)
    _has_a_page(cloud)
    _passes_a_short_soak_test(cloud)  # last: it deploys another agent


def _streams_and_leaves_its_trace(cloud):
    with httpx.stream(
        "POST", cloud.url, json={"query": "What is 6 * 7?"}, headers=SSE, timeout=60, trust_env=False
    ) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        lines = list(response.iter_lines())
    assert lines[:2] == ["retry: 86400000", "event: start"]
    result = json.loads(lines[lines.index("event: result") + 1].removeprefix("data: "))
    assert "42" in result["response"]
    assert cloud.langfuse.wait_for(result["trace_id"]).root


def _goes_on(cloud):
    assert ask(cloud, "My name is Ada.", "s-1").status_code == 200
    assert shown(cloud) == 1
    assert "event: result" in ask(cloud, "And who am I?", "s-1", SSE).text
    assert shown(cloud) == 3
    assert ask(cloud, "Hello.", "s-2").status_code == 200
    assert shown(cloud) == 1


def _never_mixes(cloud):
    cloud.bedrock.word_interval_s = 0.05
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda number: ask(cloud, f"{number}! [[say 30]]", "s-3"), range(3)))
    cloud.bedrock.word_interval_s = 0.0
    refused = [answer.json()["error"]["code"] for answer in answers if answer.status_code == 409]
    assert [answer.status_code for answer in answers].count(200) >= 1
    assert refused == ["session_busy"] * (3 - len([1 for answer in answers if answer.status_code == 200]))
    assert refused
    ask(cloud, "Afterwards.", "s-3")
    roles = [message["role"] for message in cloud.bedrock.requests[-1]["messages"]]
    assert roles == ["user", "assistant"] * (len(roles) // 2) + ["user"]


def _is_free_after_its_client_left(cloud):
    """The run continues to its end and is stored; the lease does not outlive it."""
    cloud.bedrock.word_interval_s = 0.05
    body = {"query": "Tell me. [[say 40]]", "session_id": "s-4"}
    with httpx.stream("POST", cloud.url, json=body, headers=SSE, timeout=60, trust_env=False) as response:
        next(response.iter_lines())
    assert ask(cloud, "Too early.", "s-4").json()["error"]["code"] == "session_busy"
    cloud.bedrock.word_interval_s = 0.0
    until = time.monotonic() + 60
    while (answer := ask(cloud, "What else?", "s-4")).status_code == 409 and time.monotonic() < until:
        time.sleep(0.2)
    assert answer.status_code == 200
    assert shown(cloud) == 3, "the turn without a reader is part of the conversation"


def _has_a_page(cloud):
    page = httpx.get(cloud.url, headers={"accept": "text/html"}, timeout=60, trust_env=False)
    assert "<!doctype html>" in page.text
    assert '"sessions": true' in html.unescape(page.text)
    told = httpx.get(cloud.url, timeout=60, trust_env=False).json()
    assert (told["streaming"], told["sessions"]) == (True, True)


def _passes_a_short_soak_test(cloud):
    plan = Plan(requests=50, sessions=5, clients=2, phase=25, faults=0.4)
    quick = [fault for fault in FAULTS if fault not in ("drip", "hang")]

    found = soak.soak(cloud, plan, quick)

    broken = {claim.what for claim in soak.report(found).claims if not claim.holds}
    assert broken == {"kinds of faults that were not injected"}, [found.checks, found.outcomes]
    assert (len(found.outcomes), len(found.checks)) == (plan.requests, plan.sessions)
    assert found.injected.total() - found.injected["ok"] > 10
