"""The commands of docs/recipes/evaluate.md evaluate a deployed function."""

import json
import re
import shlex
from pathlib import Path

import pytest

from tools.evaluate.__main__ import main
from tools.local.fakes.langfuse_view import trace_view

PAGE = (Path(__file__).parents[2] / "docs" / "recipes" / "evaluate.md").read_text("utf-8")
ITEMS = re.search(r"```json\n(.+?)```", PAGE, re.DOTALL)[1]


def commands(option):
    """The arguments of the page's commands that have an option."""
    lines = re.findall(r"^ {4}hatch run evaluate (.*)$", PAGE, re.MULTILINE)
    found = [shlex.split(line, comments=True) for line in lines]
    return [words for words in found if option in words]


def arguments(words, cloud, folder):
    """A command's arguments with the address of the cloud, and with files in a folder."""
    values = {"$URL": cloud.url, "items.jsonl": str(folder / "items.jsonl")}
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
