"""Tools of MCP servers, over connections that are kept for the life of the execution environment.

    from traced_agent.mcp_tools import McpTools

    MCP = McpTools.from_file(Path(__file__).with_name("mcp.json"))

    Agent(tools=MCP.add_to(TOOLS), ...)

A server is connected at the first request. One that fails is left out, with one line in the log, and tried
again after a while. `mcp` is imported only when the first server is connected.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any, Self

from strands.types.tools import AgentTool, ToolGenerator, ToolSpec, ToolUse

from traced_agent import mcp_config
from traced_agent.secrets import read_json

_RETRY_AFTER_S = 30.0
"""How long a server that failed is left out."""
_CHECK_AFTER_S = 60.0
"""A connection that was not used for so long is checked, and its tools are listed again."""

logger = logging.getLogger(__name__)


class McpTools:
    """The tools of some MCP servers."""

    def __init__(
        self,
        servers: Mapping[str, Mapping[str, Any]],
        *,
        connect_timeout_s: float = 10.0,
        read_secret: Callable[..., Mapping[str, Any]] = read_json,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Name the servers; nothing is connected before `add_to`.

        Args:
            servers: by name, each as in an `mcpServers` object. `headersSecret` and `authSecret` are ARNs of
                secrets: a JSON object of headers, and one with `client_id` and `client_secret`.
            connect_timeout_s: how long a request waits for servers that are not connected.
            read_secret: reads a secret as a JSON object.
            clock: gives monotonic seconds.

        Raises:
            ValueError: a server has neither `url` nor `command`, an unknown `type`, or a variable that is not
                set.
        """
        self._servers = [
            _Server(name, mcp_config.server_config(name, config), read_secret, clock)
            for name, config in servers.items()
            if mcp_config.is_enabled(config)
        ]
        self._connect_timeout_s = connect_timeout_s

    @classmethod
    def from_file(cls, path: Path, **options: Any) -> Self:
        """Read an `mcp.json`.

        Raises:
            ValueError: the file does not exist, is not JSON or has no `mcpServers`, or a server is not valid;
                the message is one line.
        """
        return cls(mcp_config.read_servers(path), **options)

    def add_to(self, tools: Iterable[Any]) -> list[Any]:
        """The tools and those of the servers, except a server's tool with the name of an earlier tool."""
        added = list(tools)
        names = {getattr(tool, "tool_name", getattr(tool, "__name__", "")) for tool in added}
        for server, found in zip(self._servers, self._connected(), strict=True):
            for tool in found:
                if tool.tool_name in names:
                    logger.warning(
                        "the tool %s of the MCP server %s is left out: another tool has its name",
                        tool.tool_name,
                        server.name,
                    )
                else:
                    names.add(tool.tool_name)
                    added.append(tool)
        return added

    def _connected(self) -> list[Sequence[AgentTool]]:
        due = [server for server in self._servers if server.is_due()]
        if due:
            pool = ThreadPoolExecutor(len(due), thread_name_prefix="mcp")
            pending = {pool.submit(server.connect): server for server in due}
            for late in wait(pending, self._connect_timeout_s).not_done:
                pending[late].fail(f"no answer in {self._connect_timeout_s:g} s")
            pool.shutdown(wait=False)
        return [server.tools for server in self._servers]


class _Server:
    """One server, and its connection."""

    def __init__(
        self,
        name: str,
        config: Mapping[str, Any],
        read_secret: Callable[..., Mapping[str, Any]],
        clock: Callable[[], float],
    ) -> None:
        self.name = name
        self.tools: Sequence[AgentTool] = ()
        self._config = config
        self._read_secret = read_secret
        self._clock = clock
        self._client: Any = None
        self._due_at = clock()
        self._lock = threading.Lock()

    def is_due(self) -> bool:
        """Whether it must be connected, or checked."""
        return self._clock() >= self._due_at

    def connect(self) -> None:
        """List the tools, over a new connection if there is none or it fails."""
        if not self._lock.acquire(blocking=False):
            return  # another request connects it
        try:
            if self._client and self._list():
                return
            self._close()
            try:
                self._client = self._start()
                self.tools = self._wrapped()
                self._due_at = self._clock() + _CHECK_AFTER_S
            except Exception as error:  # noqa: BLE001 - whatever a server does, the answer still comes
                self._close()
                self.fail(_reason(error))
        finally:
            self._lock.release()

    def fail(self, reason: str) -> None:
        """Leave its tools out for a while."""
        if self.is_due():
            logger.warning(
                "the MCP server %s is not available, and its tools are left out: %s", self.name, reason
            )
        self.tools, self._due_at = (), self._clock() + _RETRY_AFTER_S

    def used(self, *, answered: bool) -> None:
        """Note a call: the connection is checked before the next request, unless the server answered."""
        self._due_at = self._clock() + (_CHECK_AFTER_S if answered else 0)

    def _start(self) -> Any:
        from strands.tools.mcp import MCPClient  # noqa: PLC0415 - half a second

        if not logger.isEnabledFor(
            logging.DEBUG
        ):  # they log the traceback of each failure; `fail` logs one line
            for name in ("strands.tools.mcp", "mcp"):
                logging.getLogger(name).setLevel(logging.CRITICAL)
        config = dict(self._config)
        if arn := os.path.expandvars(config.pop("headersSecret", "")):
            config["headers"] = {**config.get("headers", {}), **self._read_secret(arn)}
        if arn := os.path.expandvars(config.pop("authSecret", "")):
            config["auth"] = {
                **config.get("auth", {}),
                **self._read_secret(arn, "client_id", "client_secret"),
            }
        (client,) = MCPClient.load_servers({self.name: config})
        return client.start()

    def _list(self) -> bool:
        try:
            self.tools = self._wrapped()
        except Exception:  # noqa: BLE001 - the connection is made again
            return False
        self._due_at = self._clock() + _CHECK_AFTER_S
        return True

    def _wrapped(self) -> list[AgentTool]:
        found: list[AgentTool] = []
        token = None
        while True:
            page = self._client.list_tools_sync(token)
            found += [_McpTool(tool, self.used) for tool in page]
            token = page.pagination_token
            if not token:
                return found

    def _close(self) -> None:
        client, self._client = self._client, None
        if client:
            threading.Thread(target=_stop, args=[client], daemon=True).start()


class _McpTool(AgentTool):
    """A server's tool; after each call it reports to its server object whether there was an answer."""

    def __init__(self, tool: AgentTool, used: Callable[..., None]) -> None:
        super().__init__()
        self._tool, self._used = tool, used

    @property
    def tool_name(self) -> str:
        return self._tool.tool_name

    @property
    def tool_spec(self) -> ToolSpec:
        return self._tool.tool_spec

    @property
    def tool_type(self) -> str:
        return self._tool.tool_type

    async def stream(
        self, tool_use: ToolUse, invocation_state: dict[str, Any], **kwargs: Any
    ) -> ToolGenerator:
        result: Any = {}
        async for event in self._tool.stream(tool_use, invocation_state, **kwargs):
            result = event.get("tool_result") or result
            yield event
        # `isError` is the server's own; a result without it was made here, because the call failed.
        self._used(answered=result.get("status") == "success" or "isError" in result)


def _reason(error: BaseException) -> str:
    """The innermost cause, in one line; the text of an HTTP error contains no header."""
    while error.__cause__ or getattr(error, "exceptions", None):
        error = error.__cause__ or error.exceptions[0]  # type: ignore[attr-defined]
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no message'}"[:300]


def _stop(client: Any) -> None:
    try:
        client.stop(None, None, None)
    except Exception as error:  # noqa: BLE001 - it is not used any more
        logger.debug("closing an MCP connection failed: %r", error)
