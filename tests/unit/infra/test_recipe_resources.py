"""The infrastructure code of the recipe on other providers gives the role what its page says, and no more."""

import json

import pytest

from infra.app import build
from tests.example_agent.source import EXAMPLE_AGENT
from tools.bench.recipe_pages import RecipePage


@pytest.fixture
def blocks():
    """The page's code blocks by title."""
    return RecipePage.read("other-providers").blocks


def test_the_role_can_read_the_secret_and_not_invoke_bedrock(blocks, new_app, empty_layers, tmp_path):
    resources = {}
    exec(blocks["resources.py"], resources)
    app = new_app(tmp_path, model_id="none")
    build(app, {}, layers=empty_layers, agents={"handler": EXAMPLE_AGENT}, add_resources=resources["add"])
    app.synth()
    template = json.loads(next(tmp_path.glob("*.template.json")).read_text("utf-8"))
    text = json.dumps(template["Resources"])
    assert "secretsmanager:GetSecretValue" in text
    assert "API_KEY_SECRET_ARN" in text
    assert "bedrock:" not in text


def test_the_agents_code_compiles(blocks):
    agents = [title for title in blocks if title.startswith("agent.py")]
    assert len(agents) == 3
    for title in agents:
        compile(blocks[title], title, "exec")
