"""The pages of the recipes contain the costs that the bench measured, and no other figures of cost."""

import json
import re
import shutil

import pytest

from tools.bench import recipe_costs, recipes
from tools.bench.__main__ import DOCS, bench
from tools.bench.cost import lambda_usd
from tools.bench.recipes import RECIPES, RecipeCost
from tools.bench.result import Part

FOLDER = DOCS / "recipes"
PAGES = sorted(page.stem for page in FOLDER.glob("*.md"))
FIGURE = r"[$€]|\d\.\d|\d (?:ms|s|times|%)"


def section(text):
    """The section about cost; its figures are in the block that the bench writes."""
    return re.search(r"^## Cost\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)[1]


def measured(rows):
    table = {"title": "Costs", "columns": ["agent", "request"], "rows": rows, "note": ""}
    return {"recipes": {"part": {"tables": [table]}}}


@pytest.mark.parametrize("name", PAGES)
def test_the_figures_of_a_page_are_those_of_the_bench(name):
    text = (FOLDER / f"{name}.md").read_text("utf-8")
    results = json.loads((DOCS / "benchmarks.json").read_text("utf-8"))
    agents = recipes.agents_of_pages().get(name)
    assert text.count(recipe_costs.BEGIN) == (agents is not None)
    assert recipe_costs.update(text, agents or [], results) == text
    written_by_hand = recipe_costs.update(section(text), [], {})
    assert re.findall(FIGURE, written_by_hand) == []


def test_the_costs_of_a_page_are_written_into_it(tmp_path):
    page = tmp_path / "structured-output.md"
    page.write_text((FOLDER / page.name).read_text("utf-8"), "utf-8")
    results = measured([["the shipped agent", 1.0], ["structured output", 2.345], ["a swarm", 3.0]])
    recipe_costs.write(results, tmp_path, {"structured-output": ["the shipped agent", "structured output"]})
    block = page.read_text("utf-8").partition(recipe_costs.BEGIN)[2].partition(recipe_costs.END)[0]
    assert "| the shipped agent | 1 |\n| structured output | 2.35 |" in block
    assert "swarm" not in block


def test_measuring_the_recipes_with_write_updates_each_page(tmp_path):
    shutil.copytree(FOLDER, tmp_path / "recipes")
    samples = {name: [RecipeCost(500.0, 20.0)] for name in ("the shipped agent", *RECIPES)}
    part = Part("Recipes", [recipes._table(samples)])
    assert bench(["recipes"], measure=lambda _: part, docs=tmp_path) == 0
    for page, agents in recipes.agents_of_pages().items():
        text = (tmp_path / "recipes" / f"{page}.md").read_text("utf-8")
        assert [agent for agent in agents if f"| {agent} | 500 (" not in text] == []


def test_every_page_with_costs_shows_the_shipped_agent_and_its_own():
    pages = recipes.agents_of_pages()
    assert {agent for agents in pages.values() for agent in agents} == {"the shipped agent", *RECIPES}
    assert pages["several-agents"] == [
        "the shipped agent",
        "an agent as a tool",
        "a graph of two agents",
        "a swarm",
    ]


def test_dollars_are_the_price_of_the_measured_cpu():
    table = recipes._table(
        {"the shipped agent": [RecipeCost(500.0, 20.0)], "more": [RecipeCost(1000.0, 30.0)]}
    )
    rows = [
        dict(zip(["agent", "cold", "", "cold $", "request", "", "request $"], row, strict=True))
        for row in table.rows
    ]
    assert rows[1]["cold $"] == f"${lambda_usd(1769, 1.0, runs=1000):.3g}" == "$0.029"
    assert rows[1]["request $"] == f"${lambda_usd(1769, 0.03):.3g}" == "$1.06"
    assert [row[2] for row in table.rows] == [1.0, 2.0]
