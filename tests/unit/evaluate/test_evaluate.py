"""Every item of a data set is sent to the agent and scored; the exit status reports the result."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from langfuse import Langfuse

from tools.command import Failure
from tools.evaluate.__main__ import main
from tools.evaluate.evaluators import expected, load_evaluators
from tools.evaluate.items import read_items
from tools.local.fakes.langfuse_server import FakeLangfuse

LINKS = {"trace_id": "a" * 32, "trace_url": "https://lf/trace/" + "a" * 32}
ANSWERS = {"two": "It is 2.", "json": '{"a": 1, "b": [1, 2]}', "fails": None}


class Agent:
    """A Function URL that answers from a table; it counts how many requests it handles at the same time."""

    def __init__(self):
        self.bodies, self.active, self.most_active = [], 0, 0
        lock, agent = threading.Lock(), self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                with lock:
                    agent.bodies.append(body)
                    agent.active += 1
                    agent.most_active = max(agent.most_active, agent.active)
                answer = ANSWERS.get(body["query"], "?")
                response = {"success": True, "response": answer, **LINKS}
                if answer is None:
                    response = {"success": False, "error": {"code": "model_error", "message": "broke off"}}
                data = json.dumps(response).encode()
                with lock:
                    agent.active -= 1
                self.send_response(200)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()


@pytest.fixture
def agent():
    agent = Agent()
    yield agent
    agent.server.shutdown()
    agent.server.server_close()


@pytest.fixture
def items(tmp_path):
    """Writes a JSON Lines file."""

    def write(*items):
        file = tmp_path / "items.jsonl"
        file.write_text("\n".join(item if isinstance(item, str) else json.dumps(item) for item in items))
        return str(file)

    return write


@pytest.fixture
def langfuse():
    from langfuse._client.resource_manager import LangfuseResourceManager

    with FakeLangfuse() as langfuse:
        yield langfuse
    LangfuseResourceManager.reset()


@pytest.fixture
def evaluate(agent, capsys):
    """Runs the command; returns the exit status and the report."""

    def run(*arguments, environ=None):
        code = main(["--url", agent.url, "--json", *arguments], environ or {"PATH": ""})
        return code, json.loads(capsys.readouterr().out)

    return run


def test_the_exit_status_is_the_gate(evaluate, items):
    file = items({"input": "two", "expected_output": "2"}, {"input": "other", "expected_output": "2"})
    code, report = evaluate("--file", file)
    assert (code, report["score"]) == (1, 0.75)
    assert {item["input"]: item["scores"] for item in report["items"]} == {
        "two": {"contains": 1.0, "answered": 1.0},
        "other": {"contains": 0.0, "answered": 1.0},
    }
    assert evaluate("--file", file, "--min", "0.7")[0] == 0


def test_a_run_that_fails_counts_as_zero(evaluate, items):
    code, report = evaluate("--file", items({"input": "fails", "expected_output": "x"}))
    assert (code, report["score"]) == (1, 0.0)
    assert report["items"][0]["error"] == "model_error: broke off"


def test_the_input_can_be_a_request_and_the_run_is_marked_with_the_experiment(evaluate, agent, items):
    request = {"query": "two", "tags": ["t"], "metadata": {"k": "v"}}
    code, _ = evaluate("--file", items({"input": request}), "--name", "nightly")
    assert code == 0
    assert agent.bodies == [{**request, "metadata": {"k": "v", "experiment": "nightly"}}]


def test_the_concurrency_is_limited(evaluate, agent, items):
    evaluate("--file", items(*({"input": f"q{n}"} for n in range(12))), "--concurrency", "2")
    assert len(agent.bodies) == 12
    assert agent.most_active <= 2


def test_without_keys_nothing_is_recorded(evaluate, items, langfuse):
    evaluate("--file", items({"input": "two"}), environ={"LANGFUSE_HOST": langfuse.url})
    assert langfuse.exports == []
    assert langfuse.api_requests == []


def test_with_keys_the_experiment_is_recorded_with_scores_and_the_runs_traces(evaluate, items, langfuse):
    environ = {
        "LANGFUSE_HOST": langfuse.url,
        "LANGFUSE_PUBLIC_KEY": langfuse.public_key,
        "LANGFUSE_SECRET_KEY": langfuse.secret_key,
    }
    langfuse.records.datasets["questions"] = [{"input": "two", "expectedOutput": "2", "metadata": {}}]
    code, report = evaluate("--dataset", "questions", "--name", "nightly", environ=environ)
    assert (code, report["score"]) == (0, 1.0)
    trace = next(trace for trace in langfuse.traces() if trace.root.name == "experiment-item-run")
    output = json.loads(trace.root.attributes["langfuse.observation.output"])
    assert LINKS.items() <= output.items()
    (task,) = trace.named("experiment-item-task")
    assert json.loads(task.attributes["langfuse.observation.metadata.trace_id"]) == LINKS["trace_id"]
    scores = [(score["traceId"], score["name"]) for score in langfuse.records.scores.values()]
    of_both = [
        (trace_id, name)
        for trace_id in (trace.trace_id, LINKS["trace_id"])
        for name in ("contains", "answered")
    ]
    assert sorted(scores) == sorted(of_both)


@pytest.mark.parametrize(
    ("method", "output", "wanted", "score"),
    [
        ("contains", "It is  FORTY two.", "forty two", 1),
        ("contains", "a and b", ["a", "b"], 1),
        ("contains", "a", ["a", "b"], 0),
        ("exact", " Four ", "four", 1),
        ("exact", "Four.", "four", 0),
        ("json", ANSWERS["json"], {"b": [1, 2]}, 1),
        ("json", ANSWERS["json"], '{"a": 1}', 1),
        ("json", ANSWERS["json"], {"a": "1"}, 0),
        ("json", ANSWERS["json"], {"c": None}, 0),
        ("json", {"a": {"x": 1, "y": 2}}, {"a": {"x": 1}}, 1),
        ("json", '{"a": true}', {"a": 1}, 0),
        ("json", "no JSON", {"a": 1}, 0),
    ],
)
def test_the_built_in_comparisons(method, output, wanted, score):
    (evaluation,) = expected(output=output, expected_output=wanted, metadata={"evaluator": method})
    assert (evaluation.name, evaluation.value) == (method, score)


def test_an_unknown_comparison_is_an_error():
    with pytest.raises(ValueError, match="contains or exact or json"):
        expected(output="x", expected_output="x", metadata={"evaluator": "fuzzy"})


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("nonsense", "is not JSON"),
        ("[]", "needs `input`"),
        ('{"expected_output": "x"}', "needs `input`"),
        ('{"input": 3}', "needs `input`"),
        ('{"input": "x", "expected": "y"}', "unknown fields: expected"),
        ("", "contains no items"),
    ],
)
def test_an_invalid_item_is_one_line_with_its_position(items, line, says):
    from pathlib import Path

    with pytest.raises(Failure, match=says):
        read_items(Path(items(line)))


def test_a_missing_file_or_list_of_evaluators_is_reported_with_the_remedy(tmp_path):
    with pytest.raises(Failure, match="list EVALUATORS"):
        load_evaluators(tmp_path / "none.py")
    (tmp_path / "mine.py").write_text("X = 1")
    with pytest.raises(Failure, match="no list EVALUATORS"):
        load_evaluators(tmp_path / "mine.py")
    (tmp_path / "broken.py").write_text("1 / 0")
    with pytest.raises(Failure, match="ZeroDivisionError"):
        load_evaluators(tmp_path / "broken.py")


def test_an_item_whose_evaluator_fails_does_not_pass(evaluate, items):
    file = items({"input": "two", "expected_output": "2", "metadata": {"evaluator": "fuzzy"}})
    code, report = evaluate("--file", file, "--min", "0.1")
    assert code == 1
    assert "evaluator expected failed" in report["items"][0]["error"]


def test_a_data_set_needs_keys(agent):
    with pytest.raises(Failure, match="--dataset needs"):
        main(["--url", agent.url, "--dataset", "x"], {"PATH": ""})


@pytest.mark.parametrize("arguments", [["--min", "2"], ["--min", "x"], ["--concurrency", "0"]])
def test_invalid_options_are_rejected(arguments):
    with pytest.raises(SystemExit):
        main(arguments, {})


def test_a_disabled_client_is_what_runs_without_keys():
    assert not Langfuse(public_key="none", secret_key="none", tracing_enabled=False)._tracing_enabled
