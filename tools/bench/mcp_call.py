"""What a tool call over MCP adds to a warm request, against the same function as a tool of the agent."""

import contextlib
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from tools.bench import deployed
from tools.bench.deployed import ours, running
from tools.bench.result import Claim, Table, at_most, spread
from tools.bench.sampling import interleave
from tools.bench.warm_requests import ROUNDS, RequestCost, sampler
from tools.local.fakes.bedrock_server import FakeBedrock
from tools.local.fakes.langfuse_server import FakeLangfuse
from tools.local.http.server import LOOPBACK

ALLOWED_MS = 10.0
_FUNCTION = "a function of the agent"
_MCP = "an MCP server over HTTP"
_QUERY = '[[tool stock {"article": "tea"}]]'
_NOTE = """\
The same question and answer; the server runs on the same machine, and its CPU is not counted. The connection
is made before the first measured request."""
_AGENT = '''
from strands import Agent, tool
from strands.models import BedrockModel
from traced_agent.mcp_tools import McpTools

@tool
def stock(article: str) -> str:
    """Return how many pieces of an article there are.

    Args:
        article: For example "tea".
    """
    return f"There are 12 of {article}."


MCP = McpTools(SERVERS)


def build_model(settings, session):
    return BedrockModel(boto_session=session, model_id=settings.bedrock_model_id, max_tokens=1000)


def build_agent(model, *, callback_handler=None, session_manager=None):
    return Agent(model=model, tools=MCP.add_to(TOOLS), callback_handler=callback_handler)
'''


def measure(bedrock: FakeBedrock, langfuse: FakeLangfuse) -> tuple[Table, Claim]:
    """Measure both tools in turns."""
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(mcp_server())
        agents = {_FUNCTION: ("{}", "[stock]"), _MCP: (repr({"stock": {"url": url}}), "[]")}
        codes = {name: stack.enter_context(_code(*values)) for name, values in agents.items()}
        pools = {
            name: stack.enter_context(running(deployed.function(code, bedrock, langfuse)))
            for name, code in codes.items()
        }
        samplers = {name: sampler(pool, _QUERY) for name, pool in pools.items()}
        samples, _ = interleave("a tool call over MCP", samplers, ROUNDS, required=tuple(pools))
    return _table(samples), _claim(samples)


def _table(samples: dict[str, list[RequestCost]]) -> Table:
    rows: list[list[str | float | int]] = [
        [name, spread([one.cpu for one in taken]), spread([one.wall for one in taken])]
        for name, taken in samples.items()
    ]
    return Table(
        "A request with one tool call, its trace exported, in milliseconds",
        ["the tool", "CPU", "wall"],
        rows,
        _NOTE,
    )


def _claim(samples: dict[str, list[RequestCost]]) -> Claim:
    function, over_mcp = (statistics.median(one.cpu for one in samples[name]) for name in (_FUNCTION, _MCP))
    return at_most(
        "CPU that an MCP tool call over HTTP adds to a request", over_mcp - function, ALLOWED_MS, " ms"
    )


@contextlib.contextmanager
def _code(servers: str, tools: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        agent = _AGENT.replace("SERVERS", servers).replace("TOOLS", tools)
        yield deployed.copy(ours(), Path(folder) / "code", {"agent.py": agent})


@contextlib.contextmanager
def mcp_server() -> Iterator[str]:
    """Serves the tool with the `mcp` package; gives the URL."""
    import uvicorn  # noqa: PLC0415 - with mcp it takes a second to import
    from mcp.server.mcpserver import MCPServer  # noqa: PLC0415

    def stock(article: str) -> str:
        """Return how many pieces of an article there are."""
        return f"There are 12 of {article}."

    server = MCPServer("stock", log_level="CRITICAL")
    server.add_tool(stock)
    app = server.streamable_http_app(json_response=True)
    config = uvicorn.Config(app, host=LOOPBACK, port=0, log_level="critical", timeout_graceful_shutdown=1)
    http = uvicorn.Server(config)
    thread = threading.Thread(target=http.run, daemon=True)
    thread.start()
    while not http.started and thread.is_alive():
        time.sleep(0.01)
    try:
        yield f"http://{LOOPBACK}:{http.servers[0].sockets[0].getsockname()[1]}/mcp"
    finally:
        http.should_exit = True
        thread.join(20)
