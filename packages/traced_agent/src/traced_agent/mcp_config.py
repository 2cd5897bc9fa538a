"""The configuration of MCP servers: the file that MCP clients share, `mcp.json`."""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_VARIABLE = re.compile(r"\$\{(?:env:)?(\w+)\}")
_TRANSPORTS = {
    "http": "streamable-http",
    "streamable-http": "streamable-http",
    "sse": "sse",
    "stdio": "stdio",
}
"""Strands' name of each `type` that the file may have."""


def read_servers(path: Path) -> dict[str, Any]:
    """The object `mcpServers` of a file.

    Raises:
        ValueError: the file does not exist, is not JSON, or has no `mcpServers`; the message names the file.
    """
    try:
        content = json.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        raise ValueError(f"{path.name} cannot be read ({error.strerror}): put it next to agent.py") from None
    except ValueError as error:
        raise ValueError(f"{path.name} is not JSON: {error}") from None
    servers = content.get("mcpServers") if isinstance(content, dict) else None
    if not isinstance(servers, dict):
        raise ValueError(f'{path.name} has no object "mcpServers"')  # noqa: TRY004 - of a file's content
    return servers


def is_enabled(config: Any) -> bool:
    """Whether the server is used: not if it has `"disabled": true`."""
    return not (isinstance(config, Mapping) and config.get("disabled") is True)


def server_config(name: str, config: Any) -> dict[str, Any]:
    """A server's configuration as `MCPClient.load_servers` takes it.

    Raises:
        ValueError: it has neither `url` nor `command`, an unknown `type`, or a variable that is not set.
    """
    given = config if isinstance(config, Mapping) else {}
    address = given.get("url") or given.get("command")
    if not isinstance(address, str):
        raise ValueError(  # noqa: TRY004 - of a file's content
            f"the MCP server {name} needs a url or a command, as a string"
        )
    if missing := sorted(set(_VARIABLE.findall(json.dumps(config))) - os.environ.keys()):
        raise ValueError(f"the MCP server {name} needs the environment variable {', '.join(missing)}")
    plain: dict[str, Any] = json.loads(json.dumps(config).replace("${env:", "${"))
    kind = plain.pop("type", None)
    if kind is None:
        return plain
    if kind not in _TRANSPORTS:
        raise ValueError(f"the MCP server {name} has the type {kind!r}: use {', '.join(_TRANSPORTS)}")
    return {"transport": _TRANSPORTS[kind], **plain}
