"""Each recipe's code, deployed to the local cloud in place of the shipped agent, does what its page says."""

import contextlib
import json
import shutil

import httpx
import pytest

from layers.function_asset import PACKAGES
from tests.e2e.recipe_requests import ask, context_of, run_curl, served, trace_of, tree, until_connected
from tests.unit.traced_agent.mcp_server import mcp_server
from tools.bench.recipe_pages import RECIPES, RecipePage
from tools.local.fakes.fake_model import GUARDRAIL_TEXT

SSE = {"accept": "text/event-stream"}


@pytest.fixture
def deployed(control_plane, tmp_path):
    """Deploys a page's agent, for the length of the test."""
    with contextlib.ExitStack() as stack:

        def deploy(page, context=None, variant="", add_resources=None):
            source = tmp_path / f"src-{variant}"
            shutil.copytree(PACKAGES / "handler" / "src", source)
            page.write(source, variant)
            return stack.enter_context(served(control_plane, source, context or {}, add_resources))

        yield deploy


def test_every_recipe_is_in_the_list():
    listed = (RECIPES / "README.md").read_text("utf-8")
    assert [page.name for page in RECIPES.glob("*.md") if f"({page.name})" not in listed] == ["README.md"]


def test_structured_output(deployed):
    page = RecipePage.read("structured-output")
    cloud = deployed(page, {"streaming": "true"})
    (answer,) = run_curl(page, cloud)
    assert answer["data"] == json.loads(page.blocks["answer"])["data"]
    assert tree(cloud, answer) == page.blocks["trace"]
    schemas = httpx.get(f"{cloud.url}openapi.json", timeout=60, trust_env=False).json()["components"][
        "schemas"
    ]
    assert set(schemas["Data"]["properties"]) == {"customer", "lines"}
    lines = ask(cloud, "Ada takes two teas", SSE).text.splitlines()
    result = json.loads(lines[lines.index("event: result") + 1].removeprefix("data: "))
    assert result["data"] == answer["data"]


def test_an_agent_as_a_tool(deployed):
    page = RecipePage.read("several-agents")
    cloud = deployed(page, {"streaming": "true"})
    query = 'Please [[tool researcher {"input": "What is 6 * 7?"}]]'
    answer = ask(cloud, query).json()
    assert "42" in answer["response"]
    assert tree(cloud, answer) == page.blocks["trace"]
    calls = trace_of(cloud, answer).named("chat")
    assert answer["usage"]["outputTokens"] == sum(
        int(call.attributes["gen_ai.usage.output_tokens"]) for call in calls
    )
    lines = ask(cloud, query, SSE).text.splitlines()
    events = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]
    assert "".join(event["text"] for event in events if event.get("agent") and "text" in event).count("42")
    finished = {"name": "calculator", "state": "finished", "agent": "researcher"}
    assert any(event.items() >= finished.items() for event in events)


@pytest.mark.parametrize(("variant", "nodes"), [("graph", 2), ("swarm", 1)])
def test_a_graph_and_a_swarm(deployed, variant, nodes):
    cloud = deployed(RecipePage.read("several-agents"), variant=variant)
    answer = ask(cloud, "Write about tea.").json()
    assert answer["stop_reason"] == "end_turn"
    assert "Write about tea." in answer["response"]
    assert len(trace_of(cloud, answer).named("chat")) == nodes


def test_mcp_tools(deployed):
    page = RecipePage.read("mcp-tools")
    with mcp_server() as (url, _, requests):
        cloud = deployed(page, add_resources=lambda agent: agent.function.add_environment("STOCK_URL", url))
        answer = until_connected(cloud, '[[tool stock {"article": "tea"}]]')
        assert answer["response"] == "The answer is There are 12 of tea."
        assert tree(cloud, answer) == page.blocks["trace"]
        before = len(requests)
        assert ask(cloud, '[[tool stock {"article": "coffee"}]]').json()["success"]
        assert len(requests) == before + 1


def test_a_knowledge_base(deployed):
    page = RecipePage.read("knowledge-base")
    cloud = deployed(page, context_of(page.commands[0]))
    (answer,) = run_curl(page, cloud)
    assert json.loads(page.blocks["citation"]) in answer["citations"]
    assert tree(cloud, answer) == page.blocks["trace"]


FALLBACK = "us.amazon.nova-lite-v1:0"


@pytest.fixture(scope="module")
def model_options(control_plane, tmp_path_factory):
    """The agent of the page on model options, with a system prompt that is long enough for the cache."""
    source = tmp_path_factory.mktemp("model-options") / "src"
    shutil.copytree(PACKAGES / "handler" / "src", source)
    page = RecipePage.read("model-options")
    page.write(source)
    agent = source / "agent.py"
    prompt = '"Answer briefly."'
    assert prompt in page.blocks["agent.py"]
    agent.write_text(agent.read_text("utf-8").replace(prompt, f"{prompt} * 2000"), "utf-8")
    context = {"guardrail": "gr123:1", "fallback_model_id": FALLBACK}
    with served(control_plane, source, context) as cloud:
        yield cloud


def test_cached_tokens_are_in_the_answer_the_trace_and_the_metrics(model_options, capsys):
    counts = set()
    # The first request writes the prompt to the cache, the second reads it.
    for kind, attribute in (("Write", "cache_creation"), ("Read", "cache_read")):
        answer = ask(model_options, "Hello").json()
        tokens = answer["usage"][f"cache{kind}InputTokens"]
        (chat,) = trace_of(model_options, answer).named("chat")
        assert chat.attributes[f"gen_ai.usage.{attribute}.input_tokens"] == tokens > 1024
        assert f'"Cache{kind}Tokens": {tokens}' in capsys.readouterr().err
        counts.add(tokens)
    assert len(counts) == 1


def test_a_blocked_request_returns_the_text_of_the_guardrail(model_options):
    blocked = ask(model_options, "[[guardrail]]").json()
    assert (blocked["stop_reason"], blocked["response"]) == ("guardrail_intervened", GUARDRAIL_TEXT)
    assert model_options.bedrock.requests[-1]["guardrailConfig"]["guardrailIdentifier"] == "gr123"


def test_a_throttled_model_is_replaced_by_the_fallback_for_one_run(model_options):
    model_options.bedrock.inject_fault("throttle", times=3)  # the attempts of the AWS SDK
    answer = ask(model_options, "Hello").json()
    assert (answer["success"], answer["model_id"]) == (True, FALLBACK)
    assert ask(model_options, "Hello").json()["model_id"] != FALLBACK


def test_a_fallback_that_is_denied_is_an_error_that_names_it(model_options, capsys):
    primary = ask(model_options, "Hello").json()["model_id"]
    model_options.bedrock.model_faults.update({primary: "throttle", FALLBACK: "deny"})
    try:
        response = ask(model_options, "Hello")
    finally:
        model_options.bedrock.model_faults.clear()
    body = response.json()
    assert (response.status_code, body["error"]["code"]) == (502, "model_access_denied")
    assert FALLBACK in body["error"]["message"]
    assert f"the model is throttled or unavailable: this run uses {FALLBACK}" in capsys.readouterr().err
    assert trace_of(model_options, body).root.status == "error"


def test_the_agent_of_the_page_on_testing_answers(deployed):
    page = RecipePage.read("test-your-agent")
    answer = ask(deployed(page), '[[tool price_of {"article": "tea"}]]').json()
    assert answer["response"] == "The answer is 3.50."
