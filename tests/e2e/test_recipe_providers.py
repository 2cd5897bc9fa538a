"""The models of docs/recipes/other-providers.md, deployed, answer from fake servers of their providers."""

import contextlib
import re
import shlex
import shutil
from dataclasses import dataclass

import httpx
import pytest
from aws_cdk import aws_lambda

from layers import function_asset
from tests.e2e.recipe_requests import ask, context_of, served, trace_of
from tools.bench import provider_packages
from tools.bench.recipe_pages import RECIPES, RecipePage
from tools.local import __main__ as local
from tools.local.cloud.local_cloud import FAKE_MODEL_HEADER, LocalCloud
from tools.local.fakes.provider_servers import FakeAnthropic, FakeOpenAi, FakeProvider

PAGE = RecipePage.read("other-providers")
TEXT = (RECIPES / "other-providers.md").read_text("utf-8")
REQUIREMENTS = [re.search(r"echo '(.+?)'", PAGE.commands[0])[1], re.search(r"`(anthropic>.+?)`", TEXT)[1]]
LOCAL, DEPLOY = PAGE.commands[-2:]
ROW = r"^\| (\w+) \| `http://[\w.]+:\d+(/\w+)` \| (.+?) \| .+: `(.+?)` \|$"
COMPATIBLE = {server: values for server, *values in re.findall(ROW, TEXT, re.MULTILINE)}
"""Of each server the path of its API, its key and its model."""
READ_KEY = re.search(r"`(read_json\(os.+?)` instead", TEXT)[1]
READ_KEY_IMPORTS = "import os\nfrom traced_agent.secrets import read_json\n"
NO_KEY, KEY = "none", "sk-recipe"


@dataclass(frozen=True)
class Deployment:
    """A function whose `agent.py` is replaced, and the servers of its models."""

    cloud: LocalCloud
    openai: FakeOpenAi
    anthropic: FakeAnthropic

    def replace_agent(self, source, variant, edit=lambda code: code):
        """Deploy the page's file, edited, as the local cloud does after a change."""
        shutil.copytree(function_asset.DEFAULT_AGENT, source)
        PAGE.write(source, variant)
        agent = source / "agent.py"
        agent.write_text(edit(agent.read_text("utf-8")), "utf-8")
        assert self.cloud.update(function_asset.assembled(source)) is None


def local_options(folder):
    """The options of the page's `hatch run local`, in a folder with the file of the key."""
    (folder / "key.json").write_text(f'{{"api_key": "{KEY}"}}')
    with contextlib.chdir(folder):
        return local.parser().parse_args(["serve", *shlex.split(LOCAL)[3:]])


@pytest.fixture(scope="module")
def deployment(control_plane, tmp_path_factory):
    """The page's stack with the packages in a layer, and the keys of the page's secret."""
    layer = tmp_path_factory.mktemp("layer")
    provider_packages.install(REQUIREMENTS, layer / "python")
    function_asset.compile_asset(layer)
    options = local_options(tmp_path_factory.mktemp("folder"))
    page = {}
    exec(PAGE.blocks["resources.py"], page)
    with FakeOpenAi() as openai, FakeAnthropic() as anthropic:

        def add(agent):
            page["add"](agent)
            code = aws_lambda.Code.from_asset(str(layer))
            agent.function.add_layers(aws_lambda.LayerVersion(agent, "Providers", code=code))
            agent.function.add_environment("OPENAI_BASE_URL", f"{openai.url}/v1")
            agent.function.add_environment("ANTHROPIC_BASE_URL", anthropic.url)

        context = dict(options.context)
        assert context == context_of(DEPLOY)
        agent = function_asset.DEFAULT_AGENT
        with served(control_plane, agent, context, add, dict(options.secret)) as cloud:
            yield Deployment(cloud, openai, anthropic)


def check_answer(cloud, provider: FakeProvider, model_id, key):
    """The answer, its trace and the health name the model, and the provider got the key."""
    response = ask(cloud, "What is 2+2?")
    assert FAKE_MODEL_HEADER not in response.headers
    answer = response.json()
    assert (answer["response"], answer["model_id"]) == ("The answer is 4.", model_id)
    assert answer["usage"]["totalTokens"] == 18
    health = httpx.get(f"{cloud.url}health", timeout=60, trust_env=False).json()
    assert health["model_id"] == model_id
    (chat,) = trace_of(cloud, answer).named("chat")
    assert chat.attributes["gen_ai.request.model"] == model_id
    sent = [(given, body["model"]) for given, body in provider.requests]
    assert sent == [(key, model_id)]


def check_error(cloud, code):
    response = ask(cloud, "Hello")
    body = response.json()
    assert (response.status_code, body["success"], body["error"]["code"]) == (502, False, code)
    assert KEY not in response.text
    assert trace_of(cloud, body).root.status == "error"
    return body["error"]["message"]


@pytest.mark.parametrize(
    ("variant", "model_id", "limit"),
    [("openai", "gpt-5-mini", "max_completion_tokens"), ("anthropic", "claude-sonnet-4-5", "max_tokens")],
)
def test_a_model_of_a_provider(deployment, tmp_path, variant, model_id, limit):
    provider = getattr(deployment, variant)
    deployment.replace_agent(tmp_path / "src", variant)
    check_answer(deployment.cloud, provider, model_id, KEY)
    assert provider.requests[0][1][limit] == 4096
    provider.fault = "key"
    assert "rejected the key" in check_error(deployment.cloud, "model_access_denied")


@pytest.mark.parametrize("server", COMPATIBLE)
def test_an_openai_compatible_server(deployment, tmp_path, server):
    """The server stops after its answer: the next request gets an error in the envelope."""
    path, api_key, model_id = COMPATIBLE[server]
    key = KEY if "the secret" in api_key else NO_KEY

    def edit(code):
        code = re.sub(r'"http://.+?"', f'"{provider.url}{path}"', code)
        code = re.sub(r'model_id=".+?"', f'model_id="{model_id}"', code)
        if key == NO_KEY:
            return code
        return READ_KEY_IMPORTS + code.replace(f'"{NO_KEY}"', READ_KEY)

    with FakeOpenAi() as provider:
        deployment.replace_agent(tmp_path / "src", "compatible", edit)
        check_answer(deployment.cloud, provider, model_id, key)
        assert provider.requests[0][1]["max_tokens"] == 4096
    assert "cannot be reached" in check_error(deployment.cloud, "model_error")


def test_every_server_that_the_page_names_is_tested():
    assert list(COMPATIBLE) == ["Ollama", "vLLM", "LiteLLM"]
