"""Turns a Strands agent into a Lambda function that answers over HTTP and traces every run.

Public names: `create_handler`, `Settings`, `__version__`, and the modules `traced_agent.testing`,
`traced_agent.mcp_tools` and `traced_agent.secrets`. Everything else is private and may change in any release.
"""

import os
from typing import TYPE_CHECKING, Any

from traced_agent.settings import Settings
from traced_agent.version import __version__

if TYPE_CHECKING:
    from traced_agent.handler import create_handler


__all__ = ["Settings", "__version__", "create_handler"]


def __getattr__(name: str) -> Any:
    """Import `create_handler` at its first use: the stack reads `Settings` at synth, without Strands."""
    if name == "create_handler":
        from traced_agent.tracing.invalid_variables import without_invalid_variables  # noqa: PLC0415

        return without_invalid_variables(_import_create_handler, os.environ)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _import_create_handler() -> Any:
    from traced_agent.handler import create_handler  # noqa: PLC0415
    from traced_agent.tracing import provider  # noqa: PLC0415

    provider.install_early(os.environ)  # before the user's modules are imported
    return create_handler
