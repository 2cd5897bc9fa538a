"""docs/api.md says what the code does."""

import json
import re
from pathlib import Path

import pytest

from tests.example_agent.src.agent import build_model
from traced_agent.errors import STATUS
from traced_agent.http.function_url import BODY_LIMIT
from traced_agent.http.json_body import MOST_NAMES
from traced_agent.http.request_models import DEMO_QUERIES, QueryRequest
from traced_agent.settings import Settings

PAGE = (Path(__file__).parents[4] / "docs" / "api.md").read_text(encoding="utf-8")


def table(heading):
    """The rows of the table under a heading, without its head."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [re.split(r" *\| *", line.strip("| ")) for line in section.splitlines() if line.startswith("|")]
    return rows[2:]


def examples(heading):
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return [json.loads(block) for block in re.findall(r"```json\n(.*?)```", section, re.DOTALL)]


def number(text):
    return int(re.search(r"[\d,]+", text)[0].replace(",", ""))


def test_the_errors_are_those_of_the_code_in_its_order():
    assert {code.strip("`"): int(status) for code, status, *_ in table("Errors")} == STATUS


def test_the_routes_are_those_of_the_code(calling):
    told = {tuple(route.strip("`").split()) for route, _ in table("Routes")}
    routes = calling().handler.routes
    told.remove(("POST", "/feedback"))  # with Langfuse only
    assert told == {(method, path) for path, methods in routes.items() for method in methods}


@pytest.mark.parametrize("row", table("Request"), ids=lambda row: row[0])
def test_the_fields_have_the_limits_of_the_code(calling, row):
    field, limit = row[0].strip("`"), number(row[2])
    short, long = ({"query": "x", field: _of_size(field, size)} for size in (limit, limit + 1))
    assert calling().post(short)[0] == 200
    assert calling().post(long)[1]["error"]["field"] == field


def _of_size(field, size):
    if field == "tags":
        return ["t"] * size
    return {str(number): "v" for number in range(size)} if field == "metadata" else "x" * size


def test_no_field_is_left_out():
    told = {row[0].strip("`") for row in table("Request")}
    assert told == {"query" if name == "text" else name for name in QueryRequest.model_fields}


def test_the_demo_is_one_that_exists():
    assert all(f'"demo_type": "{name}"' in PAGE for name in DEMO_QUERIES)


def test_the_examples_have_the_fields_of_real_answers(calling):
    [answer], [health] = examples("Answer"), examples("Health")
    assert list(answer) == list(calling().post({"query": "x"})[1])
    assert list(health) == list(calling().post(None, method="GET", path="/health")[1])
    assert answer["model_id"] == Settings().bedrock_model_id


def test_the_limits_are_those_of_the_code(session_without_network):
    limits = {row[0]: number(row[1]) for row in table("Limits") if re.search(r"\d", row[1])}
    config = build_model(Settings(), session_without_network).client.meta.config
    assert limits["body"] * 1024 == BODY_LIMIT
    assert limits["names in one object of the body"] == MOST_NAMES
    assert limits["model calls per run"] == Settings().max_turns
    assert limits["tokens generated per call, and per run before its next call"] == Settings().max_tokens
    assert limits["wait for Bedrock to connect"] == config.connect_timeout
    assert limits["wait for Bedrock's next byte"] == config.read_timeout
    assert limits["attempts of a throttled call"] == config.retries["total_max_attempts"]
    assert limits["run"] == Settings().trace_export_timeout_s + 1


@pytest.fixture
def session_without_network():
    import boto3

    return boto3.Session(region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
