"""The tool that searches a knowledge base, and the citations of its answers."""

import json

import boto3
import pytest
from strands import Agent

from tools.local.fakes.knowledge_base_server import MISSING, FakeKnowledgeBase
from traced_agent import knowledge_base
from traced_agent.handler import Handler
from traced_agent.settings import Settings
from traced_agent.testing import ScriptedModel, ToolUse
from traced_agent.tracing.tracer import RunTracer

SEARCH = ToolUse("search_knowledge_base", {"query": "How long does delivery take?"})
KNOWN = "ABCDE12345"


@pytest.fixture(scope="module")
def fake():
    with FakeKnowledgeBase() as server:
        yield server


@pytest.fixture
def asking(fake, event, context):
    """Makes a function that asks an agent with this script and a knowledge base."""

    def make(*script, knowledge_base_id=KNOWN, endpoint=None):
        class Session(boto3.Session):
            def client(self, name, **options):
                return super().client(name, endpoint_url=endpoint or fake.url, **options)

        class Finished:
            def finish(self, *_told):
                pass

        tool = knowledge_base.search_tool(
            knowledge_base_id, lambda: Session("x", "x", region_name="us-east-1")
        )
        model = ScriptedModel(*script)
        handler = Handler(
            Settings(knowledge_base_id=knowledge_base_id),
            lambda **given: Agent(model=model, callback_handler=None),
            RunTracer(),
            Finished(),
            add_search=lambda agent: knowledge_base.add_search(agent, tool),
        )
        return model, lambda body: json.loads(handler(event(body), context())["body"])

    return make


def result(model):
    return model.requests[1][-1]["content"][0]["toolResult"]


def test_the_answer_cites_what_the_agent_found(asking):
    model, ask = asking(SEARCH, "Two to four days.")
    answer = ask({"query": "How long does delivery take?"})
    best = answer["citations"][0]
    assert best["source"] == "s3://documents/delivery.txt"
    assert best["text"].startswith("Delivery takes")
    assert best["score"] > answer["citations"][1]["score"]
    assert best["text"] in result(model)["content"][0]["text"]


def test_two_searches_cite_each_passage_once(asking):
    _, ask = asking(SEARCH, SEARCH, "Two to four days.")
    sources = [one["source"] for one in ask({"query": "x"})["citations"]]
    assert len(sources) == len(set(sources)) == 3


def test_an_answer_without_a_search_has_no_citation(asking):
    assert asking("Hello.")[1]({"query": "Hello"})["citations"] == []


def test_a_knowledge_base_that_does_not_exist_is_an_error_of_the_tool(asking):
    model, ask = asking(SEARCH, "I cannot look that up.", knowledge_base_id=MISSING)
    answer = ask({"query": "x"})
    assert (answer["success"], answer["citations"]) == (True, [])
    assert result(model)["status"] == "error"
    assert f"{MISSING} does not exist" in result(model)["content"][0]["text"]


def test_a_knowledge_base_that_cannot_be_reached_is_an_error_of_the_tool(asking):
    model, ask = asking(SEARCH, "I cannot look that up.", endpoint="http://127.0.0.1:9")
    assert ask({"query": "x"})["success"]
    assert "cannot be searched now" in result(model)["content"][0]["text"]


def test_its_demonstration_runs(asking):
    _, ask = asking(SEARCH, "Within 30 days.")
    answer = ask({"action": "run_demo", "parameters": {"demo_type": "knowledge_base"}})
    assert answer["citations"]


def test_without_a_knowledge_base_its_demonstration_is_rejected_with_the_others(calling):
    demo = {"action": "run_demo", "parameters": {"demo_type": "knowledge_base"}}
    status, body, _ = calling().post(demo)
    assert (status, body["error"]["code"]) == (400, "invalid_request")
    assert "'basic' or 'tools': no knowledge base is configured" in body["error"]["message"]


def test_with_a_knowledge_base_the_list_of_demonstrations_has_its_own(asking):
    _, ask = asking("Hello.")
    answer = ask({"action": "run_demo", "parameters": {"demo_type": "x"}})
    assert answer["error"]["message"].endswith("must be 'basic', 'tools' or 'knowledge_base'")


def test_the_demonstration_of_tools_runs(calling):
    assert calling("Done.").post({"action": "run_demo", "parameters": {"demo_type": "tools"}})[0] == 200
