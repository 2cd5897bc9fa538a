"""What each recipe of docs/recipes costs per cold start and per request, compared with the shipped agent."""

import statistics
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from layers import function_asset
from tools.bench import deployed
from tools.bench.deployed import check, event, ours, running
from tools.bench.mcp_call import mcp_server
from tools.bench.recipe_pages import RecipePage
from tools.bench.result import Part, Table, spread
from tools.bench.sampling import interleave
from tools.bench.warm_requests import ask
from tools.local.fakes.bedrock_server import FakeBedrock
from tools.local.fakes.knowledge_base_server import FakeKnowledgeBase
from tools.local.fakes.langfuse_server import FakeLangfuse
from tools.local.runtime import processes
from tools.local.runtime.function import Function

ROUNDS = 5
REQUESTS = 10
"""Warm requests of a sample."""

_SHIPPED = "the shipped agent"
_NOTE = """\
CPU of the function's process. The cold start is init, the first answer and the export of its trace. The fakes
of the model, of the knowledge base and of the MCP server answer at once; their CPU is not counted. Each
sample is a new process."""


@dataclass(frozen=True)
class Recipe:
    """An agent, and a question that makes it do what its page is about."""

    page: str
    query: str
    variant: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)


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
}


@dataclass(frozen=True)
class RecipeCost:
    """One process: CPU milliseconds."""

    cold: float
    request: float


def measure() -> Part:
    """Measure every recipe on the built layers."""
    with (
        FakeBedrock() as bedrock,
        FakeLangfuse() as langfuse,
        FakeKnowledgeBase() as knowledge_base,
        mcp_server() as mcp_url,
        tempfile.TemporaryDirectory() as folder,
    ):
        environment = {
            "AWS_ENDPOINT_URL_BEDROCK_AGENT_RUNTIME": knowledge_base.url,
            "STOCK_URL": mcp_url,
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
    shipped = samples[_SHIPPED]
    return Table(
        "Milliseconds of CPU, and the ratio to the shipped agent",
        ["agent", "cold start", "ratio", "request", "ratio"],
        [
            [
                name,
                spread([one.cold for one in taken]),
                _ratio([one.cold for one in taken], [one.cold for one in shipped]),
                spread([one.request for one in taken]),
                _ratio([one.request for one in taken], [one.request for one in shipped]),
            ]
            for name, taken in samples.items()
        ],
        _NOTE,
    )


def _ratio(taken: list[float], shipped: list[float]) -> float:
    return statistics.median(taken) / statistics.median(shipped)
