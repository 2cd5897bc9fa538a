"""The fake model uses the agent's tools for the questions that people try first."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.local.fakes.tool_choice import choose, choose_all

TOOLS = {
    "calculator": {"expression": {}},
    "current_time": {"timezone": {}},
    "convert_units": {"value": {}, "from_unit": {}, "to_unit": {}},
}


@pytest.mark.parametrize(
    ("question", "expression"),
    [
        ("What is 12 * (3 + 4)?", "12 * (3 + 4)"),
        ("What is 17 % of 2,340?", "17 / 100 * 2340"),
        ("What is 15 percent of 80?", "15 / 100 * 80"),
        ("2^10?", "2**10"),
    ],
)
def test_arithmetic_and_percentages_are_calculated(question, expression):
    assert choose(question, TOOLS) == ("calculator", {"expression": expression})


@pytest.mark.parametrize(
    ("question", "given"),
    [
        ("What is 5 km in mi?", (5.0, "km", "mi")),
        ("How many miles is a marathon of 42.195 km?", (42.195, "km", "mi")),
        ("How long is a marathon of 42.195 km in miles?", (42.195, "km", "mi")),
        ("Convert 42.195 kilometers to miles", (42.195, "km", "mi")),
        ("What is 100 Fahrenheit in Celsius?", (100.0, "degF", "degC")),
    ],
)
def test_units_are_converted(question, given):
    assert choose(question, TOOLS) == (
        "convert_units",
        dict(zip(("value", "from_unit", "to_unit"), given, strict=True)),
    )


@pytest.mark.parametrize(
    ("question", "zone"),
    [
        ("What time is it in Tokyo?", "Asia/Tokyo"),
        ("What is the time in New York now?", "America/New_York"),
        ("What day is it in Berlin?", "Europe/Berlin"),
    ],
)
def test_the_time_in_a_city_is_looked_up(question, zone):
    assert choose(question, TOOLS) == ("current_time", {"timezone": zone})


def test_the_time_without_a_city_is_utc():
    assert choose("What time is it?", TOOLS) == ("current_time", {})


@pytest.mark.parametrize("question", ["Hello!", "I have 3 cats in town", "Who wrote Faust?"])
def test_other_questions_need_no_tool(question):
    assert choose(question, TOOLS) is None


@given(st.text(max_size=60))
def test_any_question_has_a_choice(question):
    found = choose(question, TOOLS)
    assert found is None or found[0] in TOOLS


@pytest.mark.parametrize(
    ("query", "tools"),
    [
        ("What is 2+2?", ["calculator"]),
        ("Use your tools: what is 6 * 7, and what time is it in UTC?", ["calculator", "current_time"]),
        ("What is 5 km in mi? What is 2+2? What is 2+2?", ["convert_units", "calculator"]),
        ("Who wrote Faust, and when is it on today?", ["current_time"]),
        ("Tell me a story and a joke.", []),
    ],
)
def test_several_questions_call_several_tools(query, tools):
    assert [name for name, _ in choose_all(query, TOOLS)] == tools
