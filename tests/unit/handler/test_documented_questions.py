"""The questions in the docs are ones that the shipped tools answer."""

import re
from pathlib import Path

from agent import TOOLS
from tests.unit.local.test_local_bedrock import ask
from tools.local.fakes.fake_model import reply


def test_the_question_in_the_docs_is_answered_by_a_shipped_tool():
    page = (Path(__file__).parents[3] / "docs" / "local.md").read_text("utf-8")
    (question,) = re.findall(r'hatch run demo "(.+)"', page)
    tools = {tool.tool_name: tool for tool in TOOLS}
    (use,) = reply(
        ask(question, toolConfig={"tools": [{"toolSpec": tool.tool_spec} for tool in TOOLS]})
    ).tools
    assert tools[use.name](**use.input) == "3.106855961 mi"
