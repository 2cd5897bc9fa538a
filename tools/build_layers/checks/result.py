"""The result of checking layers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Violation:
    """What a check found wrong."""

    check: str
    message: str


@dataclass(frozen=True)
class Report:
    """Which checks ran, which could not and why, and what they found."""

    checks: Sequence[str]
    skipped: Mapping[str, str]
    violations: Sequence[Violation]

    @property
    def passed(self) -> bool:
        """Whether there are no violations."""
        return not self.violations
