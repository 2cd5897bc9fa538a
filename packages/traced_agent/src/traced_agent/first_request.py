"""What an execution environment does once, at its first request.

Init is too early for it: with SnapStart init runs once per version, and every environment is a copy.
"""

import random
from collections.abc import Mapping

from traced_agent import metrics


class FirstRequest:
    """Counts the environment's cold start, and gives a copy of a snapshot random numbers of its own."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._pending = True

    def arrived(self) -> None:
        """To be called at every request."""
        if self._pending:
            self._pending = False
            metrics.emit({metrics.COLD_STARTS: 1})
            if self._environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start":
                random.seed()
