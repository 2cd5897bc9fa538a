"""An agent with an output model answers with a validated object."""

import json

import pytest
from pydantic import BaseModel, Field
from strands import Agent

from traced_agent.handler import Handler
from traced_agent.settings import Settings
from traced_agent.testing import ScriptedModel, ToolUse
from traced_agent.tracing.tracer import RunTracer


class Line(BaseModel):
    name: str
    price: float = Field(ge=0)


class Invoice(BaseModel):
    """An invoice."""

    customer: str
    lines: list[Line]


VALID = {"customer": "Ada", "lines": [{"name": "Tea", "price": 3.5}]}


@pytest.fixture
def asking(event, context):
    """Makes a function that calls a handler whose agent has the output model and this script."""

    def make(*script, output_model=Invoice, **settings):
        class Finished:
            def finish(self, *_told):
                pass

        def build(callback_handler=None, session_manager=None):
            return Agent(
                model=ScriptedModel(*script),
                structured_output_model=output_model,
                callback_handler=callback_handler,
            )

        handler = Handler(Settings(**settings), build, RunTracer(), Finished())

        def ask(**request):
            response = handler(event(**request) if request else event({"query": "Hello"}), context())
            return json.loads(response["body"])

        return ask

    return make


def test_the_answer_contains_the_object(asking):
    answer = asking(ToolUse("Invoice", VALID))()
    assert answer["data"] == VALID
    assert json.loads(answer["response"]) == VALID


def test_without_an_output_model_the_answer_has_no_data(asking):
    assert "data" not in asking("Hello.", output_model=None)()


def test_a_model_that_corrects_its_object_is_answered_with_the_correct_one(asking):
    wrong = ToolUse("Invoice", {"customer": "Ada", "lines": [{"name": "Tea", "price": -1}]})
    assert asking(wrong, ToolUse("Invoice", VALID))()["data"] == VALID


@pytest.mark.parametrize(
    ("sent", "named"),
    [
        ({"customer": "Ada", "lines": [{"name": "Tea", "price": -1}]}, "lines.0.price"),
        ({"lines": []}, "customer"),
        ({}, "customer"),
    ],
)
def test_an_object_that_the_model_cannot_fill_is_an_error_that_names_the_field(asking, sent, named):
    error = asking(ToolUse("Invoice", sent), max_turns=3)()["error"]
    assert error["code"] == "model_error"
    assert f"{named}: " in error["message"]
    assert "Ada" not in error["message"]


def test_a_model_that_sends_no_object_is_an_error(asking):
    error = asking("I would rather not.")()["error"]
    assert (error["code"], "Invoice" in error["message"]) == ("model_error", True)


def test_the_openapi_document_contains_the_schema(asking):
    document = asking("x")(method="GET", path="/openapi.json")
    schemas = document["components"]["schemas"]
    assert schemas["Answer"]["properties"]["data"] == {"$ref": "#/components/schemas/Data"}
    assert set(schemas["Data"]["properties"]) == {"customer", "lines"}
    assert schemas["Data"]["properties"]["lines"]["items"] == {"$ref": "#/components/schemas/Data.Line"}
    assert schemas["Data.Line"]["properties"]["price"]["minimum"] == 0


def test_without_an_output_model_the_document_has_no_data(asking):
    document = asking("x", output_model=None)(method="GET", path="/openapi.json")
    assert "data" not in document["components"]["schemas"]["Answer"]["properties"]
