"""What each recipe of docs/recipes costs per cold start and per request, compared with the shipped agent."""

import statistics
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from layers import function_asset
from tools.bench import deployed, provider_packages
from tools.bench.cost import PRICED, lambda_usd
from tools.bench.cpu_limit import FULL_CORE_MB
from tools.bench.deployed import check, event, ours, running
from tools.bench.mcp_call import mcp_server
from tools.bench.recipe_pages import RecipePage
from tools.bench.result import Part, Table, figure, spread
from tools.bench.sampling import interleave
from tools.bench.warm_requests import ask
from tools.local.fakes.bedrock_server import FakeBedrock
from tools.local.fakes.knowledge_base_server import FakeKnowledgeBase
from tools.local.fakes.langfuse_server import FakeLangfuse
from tools.local.fakes.provider_servers import FakeAnthropic, FakeOpenAi
from tools.local.runtime import processes
from tools.local.runtime.function import Function

ROUNDS = 5
REQUESTS = 10
"""Warm requests of a sample."""

_SHIPPED = "the shipped agent"
_READ_KEY = 'read_json(os.environ["API_KEY_SECRET_ARN"], "api_key")'
"""What the page's agents call; the bench has no secret."""
_NOTE = f"""\
CPU of the function's process. The cold start is init, the first answer and the export of its trace. The fakes
of the model, of the knowledge base and of the MCP server answer at once; their CPU is not counted. Each
sample is a new process. The dollars are the price of this CPU on Lambda in us-east-1 ({PRICED}), without the
free tier. Up to {FULL_CORE_MB} MB a function's share of a CPU grows with its memory, so the price of its CPU
is the same. Lambda also bills the time in which the function waits for the model
(see Cost). The model's tokens are not included."""


@dataclass(frozen=True)
class Recipe:
    """An agent, and a question that makes it do what its page is about."""

    page: str
    query: str
    variant: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    requirement: str = ""
    """The package of a model provider."""


RECIPES: Mapping[str, Recipe] = {
    "structured output": Recipe("structured-output", "Ada takes two teas"),
    "an agent as a tool": Recipe("several-agents", '[[tool researcher {"input": "What is 6 * 7?"}]]'),
    "a graph of two agents": Recipe("several-agents", "Write about tea.", "graph"),
    "a swarm": Recipe("several-agents", "Write about tea.", "swarm"),
    "an MCP tool": Recipe("mcp-tools", '[[tool stock {"article": "tea"}]]'),
    "a knowledge base": Recipe(
        "knowledge-base",
        "What does the knowledge base say about returns?",
        environment={"KNOWLEDGE_BASE_ID": "ABCDE12345"},
    ),
    "prompt caching": Recipe("model-options", "Hello"),
    "a model of OpenAI": Recipe("other-providers", "Hello", "openai", requirement="openai>=2,<3"),
    "a model of Anthropic": Recipe("other-providers", "Hello", "anthropic", requirement="anthropic>=0.80,<1"),
}


@dataclass(frozen=True)
class RecipeCost:
    """One process: CPU milliseconds."""

    cold: float
    request: float


def agents_of_pages() -> dict[str, list[str]]:
    """The agents in the costs of each page."""
    pages = {recipe.page for recipe in RECIPES.values()}
    return {
        page: [_SHIPPED, *(name for name, recipe in RECIPES.items() if recipe.page == page)] for page in pages
    }


def measure() -> Part:
    """Measure every recipe on the built layers."""
    with (
        FakeBedrock() as bedrock,
        FakeLangfuse() as langfuse,
        FakeKnowledgeBase() as knowledge_base,
        FakeOpenAi() as openai,
        FakeAnthropic() as anthropic,
        mcp_server() as mcp_url,
        tempfile.TemporaryDirectory() as folder,
    ):
        environment = {
            "AWS_ENDPOINT_URL_BEDROCK_AGENT_RUNTIME": knowledge_base.url,
            "STOCK_URL": mcp_url,
            "OPENAI_BASE_URL": f"{openai.url}/v1",
            "ANTHROPIC_BASE_URL": anthropic.url,
        }
        samplers = {_SHIPPED: _sampler(deployed.function(ours(), bedrock, langfuse), deployed.QUERY)}
        for number, (name, recipe) in enumerate(RECIPES.items()):
            code = _code(recipe, Path(folder) / str(number))
            variables: dict[str, Any] = {**environment, **recipe.environment}
            function = deployed.function(code, bedrock, langfuse, **variables)
            samplers[name] = _sampler(function, recipe.query)
        samples, failed = interleave("recipes", samplers, ROUNDS, required=(_SHIPPED,))
    return Part("Recipes", [_table(samples)], absent=failed)


def _code(recipe: Recipe, target: Path) -> Path:
    code = deployed.copy(ours(), target / "code")
    RecipePage.read(recipe.page).write(code, recipe.variant)
    if recipe.requirement:
        provider_packages.install([recipe.requirement], code)
        agent = code / "agent.py"
        agent.write_text(agent.read_text("utf-8").replace(_READ_KEY, '{"api_key": "none"}'), "utf-8")
    function_asset.compile_asset(code)
    return code


def _sampler(function: Function, query: str) -> Callable[[], RecipeCost]:
    def sample() -> RecipeCost:
        with running(function) as environments:
            check(environments.invoke(event(query)))
            (pid,) = environments.drain()
            cold = 1000 * processes.cpu_s(pid)
            ask(environments, 2, query)  # imports what only a second request needs
            return RecipeCost(cold, ask(environments, REQUESTS, query).cpu)

    return sample


def _table(samples: Mapping[str, list[RecipeCost]]) -> Table:
    cold = {name: [one.cold for one in taken] for name, taken in samples.items()}
    request = {name: [one.request for one in taken] for name, taken in samples.items()}
    return Table(
        "Milliseconds of CPU, their ratio to the shipped agent, and US dollars",
        ["agent", "cold start", "ratio", "1,000 cold starts", "request", "ratio", "a million requests"],
        [
            [
                name,
                spread(cold[name]),
                _ratio(cold[name], cold[_SHIPPED]),
                f"${figure(_usd(cold[name], 1000))}",
                spread(request[name]),
                _ratio(request[name], request[_SHIPPED]),
                f"${figure(_usd(request[name], 1_000_000))}",
            ]
            for name in samples
        ],
        _NOTE,
    )


def _usd(cpu_ms: list[float], runs: int) -> float:
    return lambda_usd(FULL_CORE_MB, statistics.median(cpu_ms) / 1000, runs=runs)


def _ratio(taken: list[float], shipped: list[float]) -> float:
    return statistics.median(taken) / statistics.median(shipped)
