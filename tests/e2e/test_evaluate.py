"""The commands of docs/recipes/evaluate.md evaluate a deployed function."""

import json
import re
import shlex
from pathlib import Path

import pytest

from tools.bench.recipe_pages import RECIPES, RecipePage
from tools.evaluate.__main__ import main
from tools.local.fakes.langfuse_view import trace_view

TEXT = (RECIPES / "evaluate.md").read_text("utf-8")
ITEMS = re.search(r"```json\n(.+?)```", TEXT, re.DOTALL)[1]
EVALUATORS = re.search(r"```python\n(.+?)```", TEXT, re.DOTALL)[1]
COMMANDS = [*RecipePage.read("evaluate").commands, re.search(r"^- run: (.+)$", TEXT, re.MULTILINE)[1]]


def commands(option):
    """The arguments of the page's commands that have an option."""
    found = [shlex.split(line, comments=True)[3:] for line in COMMANDS]
    return [words for words in found if option in words]


def arguments(words, cloud, folder):
    """A command's arguments with the address of the cloud, and with files in a folder."""
    urls = dict.fromkeys(("$URL", "$FUNCTION_URL"), cloud.url)
    values = {**urls, "items.jsonl": str(folder / "items.jsonl")}
    return [values.get(word, word) for word in words]


@pytest.mark.parametrize("words", commands("--min") + commands("--file"), ids=" ".join)
def test_a_file_is_evaluated_against_the_deployed_function(cloud, capsys, tmp_path, words):
    (tmp_path / "items.jsonl").write_text(ITEMS, "utf-8")
    given = arguments(words, cloud, tmp_path)
    file = [] if "--file" in given else ["--file", str(tmp_path / "items.jsonl")]
    json_too = [] if "--json" in given else ["--json"]
    code = main([*given, *file, *json_too], {"PATH": ""})
    report = json.loads(capsys.readouterr().out)
    assert (code, report["score"], len(report["items"])) == (0, 1.0, 2), report
    assert all(item["trace_url"] for item in report["items"])


def test_the_evaluator_of_the_page_scores_the_answers(cloud, capsys, tmp_path):
    items, evaluators = tmp_path / "items.jsonl", tmp_path / "evaluators.py"
    items.write_text(ITEMS.splitlines()[0], "utf-8")
    evaluators.write_text(EVALUATORS, "utf-8")
    code = main(
        ["--url", cloud.url, "--file", str(items), "--evaluators", str(evaluators), "--json"], {"PATH": ""}
    )
    (item,) = json.loads(capsys.readouterr().out)["items"]
    assert (code, item["scores"]["polite"]) == (1, 0.0), item


def test_an_experiment_on_a_data_set_is_linked_to_the_traces_of_the_runs(cloud, capsys):
    (words,) = commands("--dataset")
    langfuse = cloud.langfuse
    name = words[words.index("--dataset") + 1]
    langfuse.records.datasets[name] = [{"input": "What is 2+2?", "expectedOutput": "4", "metadata": {}}]
    environ = {
        "LANGFUSE_HOST": langfuse.url,
        "LANGFUSE_PUBLIC_KEY": langfuse.public_key,
        "LANGFUSE_SECRET_KEY": langfuse.secret_key,
    }
    code = main([*arguments(words, cloud, Path()), "--name", "nightly", "--json"], environ)
    (item,) = json.loads(capsys.readouterr().out)["items"]
    assert (code, item["score"]) == (0, 1.0)
    run = langfuse.wait_for(item["trace_id"], 60)
    assert trace_view(run)["metadata"]["experiment"] == "nightly"
    scored = {score["name"] for score in langfuse.records.scores.values() if score["traceId"] == run.trace_id}
    assert scored == {"contains", "answered"}
