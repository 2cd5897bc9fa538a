import json

import jsonschema
import pytest

from traced_agent.http import openapi
from traced_agent.settings import Settings


@pytest.fixture
def validator():
    document = openapi.document(page=True)
    return lambda name: jsonschema.Draft202012Validator({**document, "$ref": f"#/components/schemas/{name}"})


@pytest.mark.parametrize("page", [True, False])
def test_the_document_has_every_route_and_no_other(calling, page):
    called = calling(settings=Settings(page=page))
    _, document, _ = called.post(None, method="GET", path="/openapi.json")
    assert {path: set(methods) for path, methods in document["paths"].items()} == {
        path: {method.lower() for method in methods} for path, methods in called.handler.routes.items()
    }


def test_the_document_is_served_as_json_that_no_reader_can_misread(calling):
    status, body, headers = calling().post(None, method="GET", path="/openapi.json")
    assert (status, headers["content-type"]) == (200, "application/json")
    assert body == json.loads(json.dumps(openapi.document(page=False)))
    assert body["openapi"].startswith("3.1")


@pytest.mark.parametrize(
    "body",
    [
        {"query": "x"},
        {"prompt": "x", "session_id": "s", "user_id": None, "tags": ["t"], "metadata": {"k": "v"}},
        {"query": " "},
        {"query": "x", "prompt": "x"},
        {"query": 7},
        {"query": "x", "other": 1},
        {"query": "x", "session_id": "é"},
        {"query": "x", "tags": ["t"] * 11},
        {},
    ],
)
def test_the_document_takes_what_the_function_takes(calling, validator, body):
    assert validator("QueryRequest").is_valid(body) == (calling().post(body)[0] == 200)


def test_answers_and_errors_are_as_documented(calling, validator):
    called = calling()
    validator("Answer").validate(called.post({"query": "x"})[1])
    validator("Error").validate(called.post({"query": 7})[1])
    validator("Error").validate(called.post({"query": "x"}, path="/nope")[1])
    validator("Health").validate(called.post(None, method="GET", path="/health")[1])


def test_a_demo_is_documented(calling, validator):
    body = {"action": "run_demo", "parameters": {"demo_type": "basic"}}
    validator("DemoRequest").validate(body)
    assert calling().post(body)[0] == 200


def test_no_name_in_the_document_is_private():
    assert not [name for name in openapi.document(page=True)["components"]["schemas"] if name.startswith("_")]
