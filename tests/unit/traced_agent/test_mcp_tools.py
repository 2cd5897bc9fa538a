"""Tools of MCP servers: one connection for all requests, and no server that fails costs an answer."""

import json
import logging
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from strands import Agent, tool

from tests.unit.traced_agent.mcp_server import drip, garbage, hang, mcp_server, raw, refusing
from traced_agent.mcp_config import server_config
from traced_agent.mcp_tools import McpTools
from traced_agent.testing import ScriptedModel, ToolUse

USE = ToolUse("stock", {"article": "tea"})


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture(scope="module")
def server():
    with mcp_server() as running:
        yield running


def ask(mcp, tools=()):
    """The result of the tool that an agent with these tools gets."""
    model = ScriptedModel(USE, "Done.")
    Agent(model=model, tools=mcp.add_to(tools), callback_handler=None)("How much tea is there?")
    return model.requests[1][-1]["content"][0]["toolResult"]


def test_an_agent_uses_the_tool_of_a_server(server):
    result = ask(McpTools({"stock": {"url": server[0]}}))
    assert (result["status"], result["content"][0]["text"]) == ("success", "There are 12 of tea.")


def test_requests_share_one_connection(server):
    mcp = McpTools({"stock": {"url": server[0]}})
    ask(mcp)
    before = len(server[2])
    for _ in range(3):
        assert ask(mcp)["status"] == "success"
    assert len(server[2]) == before + 3  # the calls alone


def test_a_server_over_stdio_is_started_once(tmp_path):
    program = tmp_path / "server.py"
    program.write_text(
        "from mcp.server.mcpserver import MCPServer\n"
        "import os\n"
        "server = MCPServer('stock')\n"
        "@server.tool()\n"
        "def stock(article: str) -> str:\n"
        '    """Say how many there are."""\n'
        "    return f'{os.getpid()} {article}'\n"
        "server.run()\n"
    )
    mcp = McpTools({"stock": {"command": sys.executable, "args": [str(program)]}}, connect_timeout_s=60)
    first, second = (ask(mcp)["content"][0]["text"] for _ in range(2))
    assert first == second != ""


def test_a_server_that_was_restarted_is_connected_again():
    clock = Clock()
    with mcp_server() as (url, _, _):
        mcp = McpTools({"stock": {"url": url}}, clock=clock)
        assert ask(mcp)["status"] == "success"
        port = int(url.split(":")[2].split("/")[0])
    assert ask(mcp)["status"] == "error"
    clock.now += 100
    with mcp_server(port=port):
        assert ask(mcp)["status"] == "success"


def test_a_changed_list_of_tools_is_noticed_after_a_while():
    def price(article: str) -> str:
        """Say the price."""
        return "3.50"

    clock = Clock()
    with mcp_server() as (url, server, _):
        mcp = McpTools({"stock": {"url": url}}, clock=clock)
        assert [tool.tool_name for tool in mcp.add_to([])] == ["stock"]
        server.add_tool(price)
        server.remove_tool("stock")
        assert ask(mcp)["status"] == "error"  # the model called the tool that is gone
        clock.now += 100
        assert [tool.tool_name for tool in mcp.add_to([])] == ["price"]


@pytest.mark.parametrize("respond", [hang, garbage, drip])
def test_a_faulty_server_is_left_out(respond, caplog, server):
    with raw(respond) as url:
        mcp = McpTools({"bad": {"url": url}, "good": {"url": server[0]}}, connect_timeout_s=5)
        assert [tool.tool_name for tool in mcp.add_to([])] == ["stock"]
    assert len([line for line in caplog.records if "MCP server bad is not available" in line.message]) == 1


@pytest.mark.parametrize("status", [401, 404, 500])
def test_a_server_that_refuses_is_omitted_and_tried_again_later(status, own_records):
    clock = Clock()
    with refusing(status) as url:
        mcp = McpTools({"bad": {"url": url}}, clock=clock)
        assert mcp.add_to([]) == mcp.add_to([]) == []
        assert len(own_records()) == 1
        clock.now += 100
        mcp.add_to([])
    assert len(own_records()) == 2


def test_a_server_that_is_down_is_left_out(own_records):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/mcp"
        assert McpTools({"down": {"url": url}}).add_to([]) == []
    assert [record.levelno for record in own_records()] == [logging.WARNING]


def test_a_tool_with_the_name_of_ours_is_left_out(server, caplog):
    ours = tool(name="stock")(lambda article: "Ours.")
    result = ask(McpTools({"stock": {"url": server[0]}}), [ours])
    assert result["content"][0]["text"] == "Ours."
    assert "another tool has its name" in caplog.text


def test_headers_come_from_the_secret(server, monkeypatch):
    monkeypatch.setenv("HEADERS_ARN", "arn:aws:secretsmanager:us-east-1:123456789012:secret:mcp")
    read = []

    def read_secret(arn, *keys):
        read.append((arn, keys))
        return {"x-api-key": "k-1"}

    mcp = McpTools({"stock": {"url": server[0], "headersSecret": "${HEADERS_ARN}"}}, read_secret=read_secret)
    assert ask(mcp)["status"] == "success"
    assert server[2][-1][2]["x-api-key"] == "k-1"
    assert read == [("arn:aws:secretsmanager:us-east-1:123456789012:secret:mcp", ())]


def test_client_credentials_without_a_key_leave_the_server_out_and_are_not_logged(server, caplog):
    def read_secret(arn, *keys):
        raise RuntimeError(f"the secret {arn} has no {keys[1]}")

    mcp = McpTools({"stock": {"url": server[0], "authSecret": "arn"}}, read_secret=read_secret)
    assert mcp.add_to([]) == []
    assert "the secret arn has no client_secret" in caplog.text


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("{", "mcp.json is not JSON"),
        ("[]", 'no object "mcpServers"'),
        ('{"mcpServers": {"one": {}}}', "one needs a url or a command"),
        ('{"mcpServers": {"one": null}}', "one needs a url or a command"),
        ('{"mcpServers": {"one": {"url": 5}}}', "one needs a url or a command"),
        ('{"mcpServers": {"one": {"command": ["x"]}}}', "one needs a url or a command"),
        ('{"mcpServers": {"one": {"url": "http://a/", "type": "ws"}}}', "has the type 'ws': use http"),
        ('{"mcpServers": {"one": {"url": "http://${NO_SUCH_VARIABLE}/"}}}', "NO_SUCH_VARIABLE"),
    ],
)
def test_an_invalid_file_is_one_line(tmp_path, content, named):
    (tmp_path / "mcp.json").write_text(content)
    with pytest.raises(ValueError, match=named) as error:
        McpTools.from_file(tmp_path / "mcp.json")
    assert "\n" not in str(error.value)


def test_a_missing_file_is_one_line_that_names_it(tmp_path):
    with pytest.raises(ValueError, match=r"^mcp\.json cannot be read .*: put it next to agent\.py$"):
        McpTools.from_file(tmp_path / "mcp.json")


def test_a_server_that_is_disabled_is_left_out_without_a_line_in_the_log(server, own_records):
    off = {"url": "http://${NO_SUCH_VARIABLE}/", "disabled": True}
    mcp = McpTools({"off": off, "stock": {"url": server[0], "disabled": False}})
    assert [tool.tool_name for tool in mcp.add_to([])] == ["stock"]
    assert own_records() == []


@pytest.mark.parametrize(
    ("kind", "transport"), [("http", "streamable-http"), ("sse", "sse"), ("stdio", "stdio"), (None, None)]
)
def test_the_type_of_a_server_selects_its_transport(kind, transport):
    config = {"url": "http://a/", **({"type": kind} if kind else {})}
    expected = {"url": "http://a/", **({"transport": transport} if transport else {})}
    assert server_config("one", config) == expected


def test_a_file_in_the_format_that_clients_share_is_read(tmp_path, server):
    content = {"mcpServers": {"stock": {"type": "http", "url": server[0]}}}
    (tmp_path / "mcp.json").write_text(json.dumps(content), "utf-8-sig")  # as some Windows editors do
    assert ask(McpTools.from_file(Path(tmp_path, "mcp.json")))["status"] == "success"


def test_importing_the_module_does_not_import_mcp():
    program = (
        "import sys, traced_agent.mcp_tools; assert not [m for m in sys.modules if m.split('.')[0] == 'mcp']"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
