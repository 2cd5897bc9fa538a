"""What traces cost the caller and the environment, and what is lost: never sent, flushed before, and ours."""

import contextlib
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass, field, replace
from pathlib import Path

from rich.progress import Progress

from tools.bench import deployed
from tools.bench.deployed import PEERS, ours, running
from tools.bench.result import Cell, Claim, Part, Table, at_most, figure, spread
from tools.bench.sampling import interleave
from tools.command import ERR
from tools.local.fakes.bedrock_server import FakeBedrock
from tools.local.fakes.faults import FaultInjector
from tools.local.fakes.langfuse_server import FAULTS, FakeLangfuse
from tools.local.runtime import processes
from tools.local.runtime.environment_pool import EnvironmentPool

ROUNDS = 200
HANGING_ROUNDS = 100
PATIENT_ROUNDS = 5
"""Of those that are busy for seconds with a backend that hangs."""

BACKEND_S = 0.15
"""Until the backend answers."""

CALM_S = {"ok": 0.05, "hang": 0.5}
"""Before each request, so that each finds the machine rested, whoever was asked before, and waited."""

BUDGET_S = 3.0
"""An export's, by default."""

SPANS = 7
"""Of one run: the root, the agent, two cycles, two calls of the model, one of a tool."""

SOAK = 1_200
SOAKED_AT_ONCE = 4
FAILING = 0.3
KILLED = 0.05
"""The share of requests after which their environment is killed, frozen."""

NEVER = "spans made, never sent"
BEFORE = "the same, sent in `finally`"
AFTER = "the same, sent after the answer (ours)"
SHORT = "ours, its bound set to 0.5 s"
PLAIN = "Langfuse's documented set-up, flushed"


@dataclass(frozen=True)
class Sample:
    """One request, in milliseconds."""

    waited: float
    """The caller, for the answer."""
    busy: float
    """The environment, until it was frozen."""


@dataclass
class Variant:
    """A function with a backend of its own."""

    environments: EnvironmentPool
    langfuse: FakeLangfuse
    calm_s: float = 0.0
    asked: list[str] = field(default_factory=list)
    """The ids of the traces of its runs; empty where the answer does not tell."""

    def ask(self) -> Sample:
        """Ask once, when the environment is frozen."""
        self.environments.drain()
        time.sleep(self.calm_s)
        began = time.perf_counter()
        invocation = self.environments.invoke(deployed.event())
        waited = time.perf_counter() - began
        deployed.check(invocation)
        self.environments.drain()
        busy = time.perf_counter() - began
        self.asked.append(json.loads(json.loads(invocation.payload)["body"]).get("trace_id", ""))
        return Sample(1000 * waited, 1000 * busy)

    @property
    def sent(self) -> tuple[int, float]:
        """How many spans did not arrive, and the KB of an export."""
        sizes = [int(export.headers["content-length"]) for export in self.langfuse.exports]
        lost = SPANS * len(self.asked) - sum(self.arrived.values())
        return lost, sum(sizes) / len(sizes) / 1000 if sizes else 0.0

    @property
    def arrived(self) -> dict[str, int]:
        """How many spans of each trace are at the backend, one that came twice counted twice."""
        return {trace.trace_id: len(trace.spans) for trace in self.langfuse.traces()}


def measure() -> Part:
    """Ask each variant in turn, then ours in bad weather."""
    with tempfile.TemporaryDirectory() as name, FakeBedrock() as bedrock:
        folder = Path(name)
        folder.chmod(0o755)  # the sandbox is another user's to read
        well, sent, failed = _compared(folder, bedrock)
        hanging, failed_hanging = _hanging(folder, bedrock)
        soak = _soak(bedrock)
    return Part(
        title="Traces",
        tables=[
            _table(f"A backend that answers in {1000 * BACKEND_S:.0f} ms", well, sent),
            _table("A backend that hangs", hanging, {}),
            Table(
                f"{SOAK:,} requests in bad weather",
                [
                    "requests",
                    "environments killed",
                    "exports refused",
                    "held by a kill",
                    "lost",
                    "duplicated",
                ],
                [[SOAK, soak.killed, soak.refused, soak.held, soak.lost, soak.duplicated]],
                f"{SOAKED_AT_ONCE} environments at once, frozen between requests; {FAILING:.0%} of exports"
                " fail. Traces, except for duplicated spans.",
            ),
        ],
        claims=_claims(well, hanging, sent, soak),
        absent={**failed, **failed_hanging},
    )


def _compared(
    folder: Path, bedrock: FakeBedrock
) -> tuple[dict[str, list[Sample]], dict[str, tuple[int, float]], dict[str, str]]:
    with _variants(folder, bedrock, "ok") as variants:
        for variant in variants.values():
            variant.ask()
        samplers = {name: variant.ask for name, variant in variants.items()}
        found, failed = interleave("traces", samplers, ROUNDS, required=(NEVER, AFTER))
        return found, {name: variants[name].sent for name in found}, failed


def _hanging(folder: Path, bedrock: FakeBedrock) -> tuple[dict[str, list[Sample]], dict[str, str]]:
    with _variants(folder, bedrock, "hang") as variants:
        for variant in variants.values():
            variant.ask()
        found, failed = {}, {}
        for names, rounds in (((NEVER, SHORT), HANGING_ROUNDS), ((BEFORE, AFTER, PLAIN), PATIENT_ROUNDS)):
            samplers = {name: variants[name].ask for name in names}
            some, some_failed = interleave("a backend that hangs", samplers, rounds, required=(AFTER,))
            found.update(some)
            failed.update(some_failed)
        return found, failed


@contextlib.contextmanager
def _variants(folder: Path, bedrock: FakeBedrock, weather: str) -> Iterator[Mapping[str, Variant]]:
    how: dict[str, tuple[Path, dict[str, str]]] = {
        NEVER: (deployed.never_sending(folder / f"never-{weather}"), {}),
        BEFORE: (ours(), {"TRACE_EXPORT": "before"}),
        AFTER: (ours(), {}),
        PLAIN: (PEERS / "plain", {}),
    }
    if weather == "hang":
        how[SHORT] = (ours(), {"TRACE_EXPORT_TIMEOUT_S": "0.5"})
    with contextlib.ExitStack() as stack:
        variants = {}
        for name, (code, settings) in how.items():
            langfuse = stack.enter_context(FakeLangfuse(response_delay_s=BACKEND_S))
            langfuse.inject_fault(weather)
            function = deployed.function(code, bedrock, langfuse)
            function = replace(function, environment={**function.environment, **settings})
            variants[name] = Variant(stack.enter_context(running(function)), langfuse, CALM_S[weather])
        yield variants


class Weather(FaultInjector):
    """Lets a share of the exports fail, in turn by each of some ways, until it clears up."""

    def __init__(self, seed: int) -> None:
        super().__init__(FAULTS)
        self._random = random.Random(seed)
        self.clear = False
        self.refused = 0

    def next_fault(self) -> str:
        """The fault of this export."""
        with self._lock:
            if self.clear or self._random.random() >= FAILING:
                return "ok"
            self.refused += 1
            return self._random.choice(("unavailable", "internal", "close", "unauthorized", "html"))


@dataclass
class Soak:
    """What became of the traces of many requests."""

    killed: int = 0
    refused: int = 0
    held: int = 0
    """Traces that waited in the memory of an environment when it was killed."""
    lost: int = 0
    duplicated: int = 0


def _soak(bedrock: FakeBedrock) -> Soak:
    """Ask several environments at once, with failing exports, and kills between requests."""
    with Progress(console=ERR, transient=True) as progress, ThreadPoolExecutor(SOAKED_AT_ONCE) as pool:
        task = progress.add_task("bad weather", total=SOAK)
        found = pool.map(
            lambda seed: _bear(bedrock, seed, lambda: progress.advance(task)), range(SOAKED_AT_ONCE)
        )
        return Soak(*map(sum, zip(*map(astuple, found), strict=True)))


def _bear(bedrock: FakeBedrock, seed: int, advance: Callable[[], None]) -> Soak:
    weather, chance, soak = Weather(seed), random.Random(seed), Soak()
    held: set[str] = set()
    with (
        FakeLangfuse(faults=weather) as langfuse,
        running(deployed.function(ours(), bedrock, langfuse)) as running_,
    ):
        variant = Variant(running_, langfuse)
        for _ in range(SOAK // SOAKED_AT_ONCE):
            variant.ask()
            if chance.random() < KILLED:
                held |= set(variant.asked) - variant.arrived.keys()
                processes.end(*variant.environments.drain())
                soak.killed += 1
            advance()
        weather.clear = True
        variant.ask()
        arrived = {trace: variant.arrived.get(trace, 0) for trace in variant.asked if trace not in held}
    soak.refused, soak.held = weather.refused, len(held)
    soak.lost = sum(spans < SPANS for spans in arrived.values())
    soak.duplicated = sum(max(0, spans - SPANS) for spans in arrived.values())
    return soak


def _table(title: str, found: Mapping[str, list[Sample]], sent: Mapping[str, tuple[int, float]]) -> Table:
    columns = ["handler", "requests", "the caller waits", "the environment is busy"]
    rows: list[list[Cell]] = [
        [
            name,
            len(samples),
            spread([sample.waited for sample in samples]),
            spread([sample.busy for sample in samples]),
            *(sent[name] if sent else []),
        ]
        for name, samples in found.items()
    ]
    note = "Milliseconds; each request to an environment that was frozen, the handlers in turn."
    return Table(title, [*columns, *(["spans lost", "KB an export"] if sent else [])], rows, note)


def _claims(
    well: Mapping[str, list[Sample]],
    hanging: Mapping[str, list[Sample]],
    sent: Mapping[str, tuple[int, float]],
    soak: Soak,
) -> list[Claim]:
    waited, waited_hanging = (
        {name: statistics.median(sample.waited for sample in samples) for name, samples in found.items()}
        for found in (well, hanging)
    )
    slower = waited[BEFORE] - waited[NEVER]
    worst = max(sample.busy for sample in hanging[AFTER])
    return [
        at_most("the caller's wait, ours over never sending", waited[AFTER] - waited[NEVER], 1.0, " ms"),
        Claim(
            "the caller's wait, `finally` over never sending",
            f"≥ {1000 * BACKEND_S:.0f} ms",
            f"{figure(slower)} ms",
            slower >= 1000 * BACKEND_S,
        ),
        at_most(
            "the same with a backend that hangs, ours over never sending",
            waited_hanging[SHORT] - waited_hanging[NEVER],
            1.0,
            " ms",
        ),
        at_most(
            "the longest an environment was busy with a backend that hangs, ours",
            worst / 1000,
            BUDGET_S + 0.5,
            " s",
        ),
        at_most("spans lost, ours", sent[AFTER][0], 0),
        at_most("traces lost in bad weather, but for what a kill held", soak.lost, 0),
        at_most("spans duplicated in bad weather", soak.duplicated, 0),
    ]
