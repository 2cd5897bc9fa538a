"""The fake model can fill any output model."""

import datetime as dt
import enum
import uuid
from decimal import Decimal
from typing import Annotated, Literal

import boto3
import pytest
from pydantic import BaseModel, Field
from strands import Agent
from strands.models import BedrockModel

from tools.local.fakes.bedrock_server import FakeBedrock
from tools.local.fakes.schema_filler import fill


class Colour(enum.Enum):
    RED = "red"


class Part(BaseModel):
    name: Annotated[str, Field(min_length=6, max_length=8)]


class Tree(BaseModel):
    """Strands does not send recursive models; other clients do."""

    branches: list["Tree"] = []


class Everything(BaseModel):
    id: uuid.UUID
    day: dt.date
    at: dt.datetime
    colour: Colour
    kind: Literal["a", "b"]
    code: Annotated[str, Field(pattern=r"^[A-Z]{3}-\d{2}$")]
    count: Annotated[int, Field(gt=10, multiple_of=4)]
    share: Annotated[float, Field(ge=0, le=0.25)]
    below: Annotated[int, Field(lt=-5)]
    price: Decimal
    part: Part
    parts: Annotated[list[Part], Field(min_length=2)]
    pair: tuple[int, str]
    maybe: int | None
    either: Part | str
    by_name: dict[str, int]
    flag: bool
    optional: str = "not sent"


class Order(BaseModel):
    kind: Literal["a", "b"]
    day: dt.date
    share: Annotated[float, Field(ge=0, le=0.25)]
    parts: list[Part]


@pytest.mark.parametrize("model", [Everything, Part, Tree])
def test_the_filled_schema_is_valid(model):
    assert model.model_validate(fill(model.model_json_schema()))


def test_the_same_schema_gives_the_same_value():
    assert fill(Everything.model_json_schema()) == fill(Everything.model_json_schema())


def test_an_agent_with_an_output_model_gets_its_object():
    with FakeBedrock() as bedrock:
        session = boto3.Session("x", "x", region_name="us-east-1")
        model = BedrockModel(boto_session=session, endpoint_url=bedrock.url, model_id="any.model")
        agent = Agent(model=model, structured_output_model=Order, callback_handler=None)
        assert agent("Fill it.").structured_output.kind == "a"
