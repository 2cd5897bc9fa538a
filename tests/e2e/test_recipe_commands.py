"""Every shell command of the recipes is executed: by this module, or by the test that `EXECUTED_BY` names."""

import re

import pytest

from tests.e2e import test_evaluate, test_new_user, test_recipe_providers, test_recipes
from tests.e2e.checkout import Checkout
from tests.e2e.recipe_requests import ask, context_of
from tools.bench.recipe_pages import RECIPES, RecipePage
from tools.local.cloud.local_cloud import LocalCloud
from tools.local.http.server import HttpServer

BACKENDS = RecipePage.read("other-backends")
EVALUATIONS = RecipePage.read("evaluate").commands
FIRST = RecipePage.read("test-your-agent")
PROVIDERS = RecipePage.read("other-providers").commands
KNOWLEDGE_BASE = RecipePage.read("knowledge-base").commands
SECRETS = {"phoenix": "authorization=Bearer%20KEY", "mlflow": "x-mlflow-experiment-id=123"}
"""The headers of each backend, as the page has them."""


class Collector(HttpServer):
    """Accepts traces, and keeps the path and the headers of each request."""

    def __init__(self):
        self.requests = []
        super().__init__(self._respond)

    def _respond(self, exchange):
        exchange.body()
        self.requests.append((exchange.path, exchange.headers))
        exchange.answer(200, b"", "application/x-protobuf")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    return Checkout(tmp_path_factory.mktemp("first-recipe"))


def test_a_new_user_completes_the_first_recipe_with_its_page_alone(checkout):
    remove, run_tests = FIRST.commands
    FIRST.write(checkout.agent.parent)
    (checkout.agent.parent / "test_agent.py").unlink()  # the page has another place for it
    checkout.run("bash", "-c", remove)
    tests = checkout.folder / "tests" / "unit" / "handler"
    (tests / "test_agent.py").write_text(FIRST.blocks["test_agent.py"], "utf-8")
    assert "5 passed" in checkout.run("bash", "-c", run_tests).splitlines()[-1]


@pytest.mark.parametrize("command", BACKENDS.commands[:2])
def test_the_command_of_a_backend_sends_traces_with_the_header_of_its_secret(control_plane, command):
    context = context_of(command)
    name = context["otlp_headers_secret"]
    text = (RECIPES / "other-backends.md").read_text("utf-8")
    assert f"`{SECRETS[name]}`" in text
    control_plane.client("secretsmanager").create_secret(Name=name, SecretString=SECRETS[name])
    with Collector() as collector:
        context["otlp_endpoint"] = re.sub(r"https://[\w.]+", collector.url, context["otlp_endpoint"])
        with LocalCloud(context, control_plane=control_plane) as cloud:
            assert ask(cloud, "What is 2+2?").json()["success"]
            cloud.pool.drain()
    header, _, value = SECRETS[name].partition("=")
    ((path, headers),) = collector.requests
    assert (path, headers[header]) == ("/v1/traces", value.replace("%20", " "))


def test_a_backend_on_this_machine_gets_the_traces_of_the_local_cloud(control_plane):
    variable, _, endpoint = BACKENDS.commands[2].removesuffix(" hatch run local").partition("=")
    with Collector() as collector:
        environ = {variable: re.sub(r"http://[\d.:]+", collector.url, endpoint)}
        with LocalCloud(environ=environ, control_plane=control_plane) as cloud:
            answer = ask(cloud, "What is 2+2?").json()
            cloud.pool.drain()
    assert [path for path, _ in collector.requests] == ["/v1/traces"]
    assert (answer["langfuse_url"], answer["trace_url"]) == (None, None)


EXECUTED_BY = {
    **dict.fromkeys(FIRST.commands, test_a_new_user_completes_the_first_recipe_with_its_page_alone),
    **dict.fromkeys(
        BACKENDS.commands[:2], test_the_command_of_a_backend_sends_traces_with_the_header_of_its_secret
    ),
    BACKENDS.commands[2]: test_a_backend_on_this_machine_gets_the_traces_of_the_local_cloud,
    **dict.fromkeys(KNOWLEDGE_BASE, test_recipes.test_a_knowledge_base),
    **dict.fromkeys(RecipePage.read("structured-output").commands, test_recipes.test_structured_output),
    **dict.fromkeys(PROVIDERS[:2], test_new_user.test_a_new_tool_with_a_package_works),
    **dict.fromkeys(PROVIDERS[2:], test_recipe_providers.test_a_model_of_a_provider),
    **dict.fromkeys(EVALUATIONS[1:3], test_evaluate.test_a_file_is_evaluated_against_the_deployed_function),
    EVALUATIONS[3]: test_evaluate.test_an_experiment_on_a_data_set_is_linked_to_the_traces_of_the_runs,
}
ELSEWHERE = {EVALUATIONS[0]: "tests/evaluation/test_shipped_agent.py, which the agent's owner replaces"}
"""Commands that a test executes which not every clone has."""


def test_every_command_of_the_recipes_is_executed():
    commands = [command for page in RECIPES.glob("*.md") for command in RecipePage.read(page.stem).commands]
    assert set(commands) == EXECUTED_BY.keys() | ELSEWHERE.keys()


@pytest.mark.parametrize("page", sorted(RECIPES.glob("*.md")), ids=lambda page: page.stem)
def test_a_recipe_has_commands_in_shell_blocks_only(page):
    prose = re.sub(r"^ *```.*?^ *```", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    assert re.findall(r"^ {4,}\S*(?:hatch|curl|aws|git|pip) .*$", prose, re.MULTILINE) == []
