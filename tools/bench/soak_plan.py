"""How long the soak test is, and how hard."""

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Plan:
    """How many requests, how fast and how faulty; the test ends when both minimums are reached."""

    requests: int = 2000
    minutes: float = 0.0
    rate: float = 0.0
    """Requests per second; 0 sends as many as possible."""
    faults: float = 0.2
    """The share of the model's answers that are faulty."""
    sessions: int = 50
    clients: int = 4
    phase: int = 200
    """Requests between two checks of the traces and processes."""

    @property
    def options(self) -> str:
        """The options of `hatch run bench` that give this plan."""
        changed = [field for field in fields(self) if getattr(self, field.name) != field.default]
        return " ".join(f"--{field.name} {getattr(self, field.name):g}" for field in changed)
