"""Fault injection into the fakes."""

import itertools
import random
import threading
from collections.abc import Collection, Iterator, Sequence

_BLOCK = 20
"""Calls among which a share of faults is distributed."""


class FaultInjector:
    """The fault that the next calls meet."""

    def __init__(self, kinds: Collection[str]) -> None:
        self._kinds = kinds
        self._lock = threading.Lock()
        self._fault, self._left = "ok", None
        self._share: Iterator[str] | None = None

    def inject(self, fault: str, *, times: int | None = None) -> None:
        """Make the next `times` calls meet this, or all from now on; `ok` ends it.

        Raises:
            ValueError: there is no such fault; the message lists those that are.
        """
        if fault != "ok":
            self._check(fault)
        with self._lock:
            self._fault, self._left, self._share = fault, times, None

    def inject_share(self, faults: Sequence[str], share: float) -> None:
        """Make this share of the calls meet a fault, each of these equally often, in a random order.

        Raises:
            ValueError: there is no such fault; the message lists those that are.
        """
        for fault in faults:
            self._check(fault)
        with self._lock:
            self._share = _shuffled(faults, share)

    def _check(self, fault: str) -> None:
        if fault not in self._kinds:
            raise ValueError(f"no fault {fault!r}: ok, {', '.join(self._kinds)}")

    def next_fault(self) -> str:
        """The fault of this call."""
        with self._lock:
            if self._share:
                return next(self._share)
            fault = self._fault
            if self._left is not None:
                self._left -= 1
                if self._left <= 0:
                    self._fault, self._left = "ok", None
            return fault

    _left: int | None


def _shuffled(faults: Sequence[str], share: float) -> Iterator[str]:
    """Faults and `ok` without end; each `_BLOCK` calls have the same number of faults."""
    order = random.Random(0)  # noqa: S311 - the same faults in each run
    endless = itertools.cycle(faults)
    due = 0.0
    while True:
        due += share * _BLOCK
        count = int(due)
        due -= count
        block = [*itertools.islice(endless, count), *["ok"] * (_BLOCK - count)]
        order.shuffle(block)
        yield from block
