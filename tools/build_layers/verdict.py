"""What comes of putting layers through the gates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Breach:
    """What a gate stopped."""

    gate: str
    message: str


@dataclass(frozen=True)
class Verdict:
    """Which gates judged, which could not and why, and what they stopped."""

    gates: Sequence[str]
    skipped: Mapping[str, str]
    breaches: Sequence[Breach]

    @property
    def passed(self) -> bool:
        """Whether nothing was stopped."""
        return not self.breaches
