"""The clients of docs/recipes/frontends.md read streams, resets, errors and buffered answers."""

import json
import subprocess

import pytest

from tests.e2e.recipe_pages import RecipePage
from tools.aws.cdk import NODE

PAGE = RecipePage.read("frontends")
SCRIPT = """
import { ask } from "./ask.mjs";
const texts = [];
try {
  const options = { token: "unused", onText: (text) => texts.push(text) };
  const answer = await ask(process.argv[2], process.argv[3], options);
  console.log(JSON.stringify({ answer, texts }));
} catch (error) {
  console.log(JSON.stringify({ error: error.message, texts }));
}
"""


@pytest.fixture
def in_node(tmp_path):
    (tmp_path / "ask.mjs").write_text(PAGE.blocks["ask.mjs"])
    (tmp_path / "call.mjs").write_text(SCRIPT)

    def call(url, query):
        command = [str(NODE), str(tmp_path / "call.mjs"), url, query]
        return json.loads(subprocess.run(command, check=True, capture_output=True, timeout=60).stdout)

    return call


@pytest.fixture
def in_python():
    module = {}
    exec(PAGE.blocks["ask.py"], module)

    def call(url, query):
        texts = []
        answer = module["ask"](url, query, on_text=texts.append)
        return {"answer": answer, "texts": texts}

    return call


@pytest.mark.parametrize("client", ["in_node", "in_python"])
def test_a_streamed_answer_arrives_with_its_text(request, streaming, client):
    got = request.getfixturevalue(client)(streaming.url, "What is 2+2?")
    assert got["answer"]["response"] == "The answer is 4."
    assert len(got["texts"]) > 1
    assert got["texts"][-1].strip().endswith("The answer is 4.")


def test_an_error_event_is_an_error(streaming, in_node, in_python):
    assert in_node(streaming.url, "[[deny]] Hello")["error"].startswith("model_access_denied: ")
    assert in_python(streaming.url, "[[deny]] Hello")["answer"]["error"]["code"] == "model_access_denied"


def test_a_rejected_request_is_an_error(streaming, in_node, in_python):
    assert in_node(streaming.url, " ")["error"].startswith("invalid_request: ")
    assert in_python(streaming.url, " ")["answer"]["success"] is False


def test_readers_that_reconnect_wait_for_a_day(streaming):
    lines = streaming.post("Hello").read().decode().splitlines()
    assert lines[:2] == ["retry: 86400000", "event: start"]
