"""Fault injection into the fakes."""

import threading
from collections.abc import Collection


class FaultInjector:
    """The fault that the next calls meet."""

    def __init__(self, kinds: Collection[str]) -> None:
        self._kinds = kinds
        self._lock = threading.Lock()
        self._fault, self._left = "ok", None

    def inject(self, fault: str, *, times: int | None = None) -> None:
        """Make the next `times` calls meet this, or all from now on; `ok` ends it.

        Raises:
            ValueError: there is no such fault; the message lists those that are.
        """
        if fault != "ok" and fault not in self._kinds:
            raise ValueError(f"no fault {fault!r}: ok, {', '.join(self._kinds)}")
        with self._lock:
            self._fault, self._left = fault, times

    def next_fault(self) -> str:
        """The fault of this call."""
        with self._lock:
            fault = self._fault
            if self._left is not None:
                self._left -= 1
                if self._left <= 0:
                    self._fault, self._left = "ok", None
            return fault

    _left: int | None
