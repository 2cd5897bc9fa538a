"""The clients of docs/recipes/frontends.md read streams, resets, errors and buffered answers."""

import json
import subprocess

import pytest

from tests.integration.url.scripted_function import ScriptedAnswer, result
from tests.third_party import node
from tools.aws.cdk import NODE
from tools.bench.recipe_pages import RecipePage
from tools.environments import python_of

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

READ_EVENTS = """
import { readEvents } from "./read-events.mjs";
const [url, query] = process.argv.slice(2);
const answer = await readEvents(url, query, () => {}).catch((error) => ({ error: error.message }));
console.log(JSON.stringify(answer));
"""
UI_MESSAGE = """
import { DefaultChatTransport, readUIMessageStream } from "ai";
import { toUiMessageStream } from "./ui-message-stream.mjs";

const [url, query] = process.argv.slice(2);
const headers = { "content-type": "application/json", accept: "text/event-stream" };
const request = { method: "POST", headers, body: JSON.stringify({ query }) };
const transport = new DefaultChatTransport({
  fetch: async () => toUiMessageStream(await fetch(url, request)),
});
const chunks = await transport.sendMessages({ chatId: "c", messages: [], trigger: "submit-message" });
const data = [], errors = [];
const stream = chunks.pipeThrough(
  new TransformStream({
    transform(chunk, controller) {
      if (chunk.type === "data-reset") data.push(chunk.data);
      controller.enqueue(chunk);
    },
  }),
);
let message;
for await (const state of readUIMessageStream({ stream, onError: (error) => errors.push(error.message) }))
  message = state;
console.log(JSON.stringify({ message, data, errors }));
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


def test_the_readers_of_the_libraries(streaming, tmp_path):
    (tmp_path / "read-events.mjs").write_text(PAGE.blocks["read-events.mjs"])
    (tmp_path / "call.mjs").write_text(READ_EVENTS)
    node.link(tmp_path)
    ran = node.run(tmp_path / "call.mjs", streaming.url, "What is 2+2?", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["response"] == "The answer is 4."
    denied = node.run(tmp_path / "call.mjs", streaming.url, "[[deny]] Hello", cwd=tmp_path)
    assert "bedrock:InvokeModel" in json.loads(denied.stdout)["error"]
    code = (
        PAGE.blocks["read_events.py"]
        + "\nimport sys\nanswer = read_events(*sys.argv[1:])\nprint()\nprint(answer)\n"
    )
    command = [str(python_of("clients")), "-c", code, streaming.url, "What is 2+2?"]
    read = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    assert json.loads(read.stdout.splitlines()[-1])["response"] == "The answer is 4."


@pytest.fixture
def ui_message(tmp_path):
    """The message that the AI SDK makes of an answer, and its errors."""
    (tmp_path / "ui-message-stream.mjs").write_text(PAGE.blocks["ui-message-stream.mjs"])
    (tmp_path / "call.mjs").write_text(UI_MESSAGE)
    node.link(tmp_path)

    def read(url, query="What is 2+2?"):
        ran = node.run(tmp_path / "call.mjs", url, query, cwd=tmp_path)
        assert ran.returncode == 0, ran.stderr
        return json.loads(ran.stdout)

    return read


def test_the_ai_sdk_reads_a_streamed_answer(ui_message, streaming):
    found = ui_message(streaming.url)
    assert found["errors"] == []
    assert [part["type"] for part in found["message"]["parts"]] == ["text", "dynamic-tool", "text"]
    _, tool, text = found["message"]["parts"]
    assert (tool["toolName"], tool["state"]) == ("calculator", "output-available")
    assert text["text"].strip() == "The answer is 4."
    assert "bedrock:InvokeModel" in ui_message(streaming.url, "[[deny]] Hello")["errors"][0]
    assert "query must not be empty" in ui_message(streaming.url, " ")["errors"][0]


def test_the_ai_sdk_reads_tools_with_details_and_resets(ui_message, scripted):
    call = {"name": "clock", "id": "t1"}
    scripted.answers.append(
        ScriptedAnswer(
            [
                ("start", {"run_id": "r1"}),
                ("text", {"text": "Lost"}),
                ("reset", {"reason": "throttled"}),
                ("tool", {**call, "state": "started", "input": {"zone": "UTC"}}),
                ("tool", {"name": "clock", "id": "t2", "state": "started", "input": {}}),
                ("tool", {**call, "state": "finished", "output": "noon"}),
                ("tool", {"name": "clock", "id": "t2", "state": "failed", "output": "no clock"}),
                ("text", {"text": "Noon"}),
                result("Noon"),
            ]
        )
    )
    found = ui_message(scripted.url)
    assert found["errors"] == []
    assert found["data"] == [{"reason": "throttled"}]
    assert found["message"]["id"] == "r1"
    _, first, second, text = found["message"]["parts"]
    assert (first["toolCallId"], first["input"], first["output"]) == ("t1", {"zone": "UTC"}, "noon")
    assert (second["state"], second["errorText"]) == ("output-error", "no clock")
    assert text["text"] == "Noon"


def test_readers_that_reconnect_wait_for_a_day(streaming):
    lines = streaming.post("Hello").read().decode().splitlines()
    assert lines[:2] == ["retry: 86400000", "event: start"]
