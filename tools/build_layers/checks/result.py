"""The result of checking layers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace


class Harmless(str):
    """What a check yields for an irregularity that makes no difference when the function runs."""

    __slots__ = ()


@dataclass(frozen=True)
class Violation:
    """What a check found."""

    check: str
    message: str


@dataclass(frozen=True)
class Report:
    """Which checks ran, which could not and why, and what they found."""

    checks: Sequence[str]
    skipped: Mapping[str, str]
    violations: Sequence[Violation]
    warnings: Sequence[Violation] = field(default=())
    """Harmless irregularities."""

    def strict(self) -> "Report":
        """The same report, with the warnings as violations."""
        return replace(self, violations=[*self.violations, *self.warnings], warnings=())

    @property
    def passed(self) -> bool:
        """Whether there are no violations."""
        return not self.violations
