"""Traces when exports fail and environments are killed: what is lost, and what arrives twice."""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass

from rich.progress import Progress

from tools.bench import deployed
from tools.bench.deployed import ours, running
from tools.bench.result import Table
from tools.bench.trace_variant import SPANS, Variant
from tools.command import ERR
from tools.local.fakes.bedrock_server import FakeBedrock
from tools.local.fakes.faults import FaultInjector
from tools.local.fakes.langfuse_server import FAULTS, FakeLangfuse
from tools.local.runtime import processes

REQUESTS = 1_200
ENVIRONMENTS = 4
FAILING = 0.3
"""The share of exports that fail."""
KILLED = 0.05
"""The share of requests after which their frozen environment is killed."""


class _RandomFaults(FaultInjector):
    """Injects a random fault into a share of the exports, until `stopped` is set."""

    def __init__(self, seed: int) -> None:
        super().__init__(FAULTS)
        self._random = random.Random(seed)
        self.stopped = False
        self.rejected = 0

    def next_fault(self) -> str:
        """The fault of this export."""
        with self._lock:
            if self.stopped or self._random.random() >= FAILING:
                return "ok"
            self.rejected += 1
            return self._random.choice(("unavailable", "internal", "close", "unauthorized", "html"))


@dataclass
class TraceFaults:
    """Counts of traces after many requests."""

    killed: int = 0
    rejected: int = 0
    held: int = 0
    """Traces in the memory of an environment when it was killed."""
    lost: int = 0
    duplicated: int = 0
    """Spans that arrived again."""

    def table(self) -> Table:
        """The counts as a table of the page."""
        return Table(
            f"{REQUESTS:,} requests with failing exports and killed environments",
            [
                "requests",
                "environments killed",
                "exports rejected",
                "traces in killed environments",
                "traces lost",
                "spans duplicated",
            ],
            [[REQUESTS, *astuple(self)]],
            f"{ENVIRONMENTS} environments at once, frozen between requests; {FAILING:.0%} of exports fail.",
        )


def send_requests(bedrock: FakeBedrock) -> TraceFaults:
    """Send requests to several environments at once, with failing exports and killed environments."""
    with Progress(console=ERR, transient=True) as progress, ThreadPoolExecutor(ENVIRONMENTS) as pool:
        task = progress.add_task("failing exports", total=REQUESTS)
        found = pool.map(
            lambda seed: _send_to_one(bedrock, seed, lambda: progress.advance(task)), range(ENVIRONMENTS)
        )
        return TraceFaults(*map(sum, zip(*map(astuple, found), strict=True)))


def _send_to_one(bedrock: FakeBedrock, seed: int, advance: Callable[[], None]) -> TraceFaults:
    faults, chance, counts = _RandomFaults(seed), random.Random(seed), TraceFaults()
    held: set[str] = set()
    with (
        FakeLangfuse(faults=faults) as langfuse,
        running(deployed.function(ours(), bedrock, langfuse)) as environments,
    ):
        variant = Variant(environments, langfuse)
        for _ in range(REQUESTS // ENVIRONMENTS):
            variant.ask()
            if chance.random() < KILLED:
                held |= set(variant.trace_ids) - variant.arrived.keys()
                processes.end(*variant.environments.drain())
                counts.killed += 1
            advance()
        faults.stopped = True
        variant.ask()
        arrived = {trace: variant.arrived.get(trace, 0) for trace in variant.trace_ids if trace not in held}
    counts.rejected, counts.held = faults.rejected, len(held)
    counts.lost = sum(spans < SPANS for spans in arrived.values())
    counts.duplicated = sum(max(0, spans - SPANS) for spans in arrived.values())
    return counts
