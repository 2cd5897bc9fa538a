"""What traces cost the caller and the environment, exported before and after the answer, and what is lost."""

import contextlib
import statistics
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from tools.bench import deployed
from tools.bench.deployed import PEERS, ours, running
from tools.bench.result import Cell, Claim, Part, Table, at_most, figure, spread
from tools.bench.sampling import interleave
from tools.bench.trace_faults import TraceFaults, send_requests
from tools.bench.trace_variant import RequestTime, Variant
from tools.local.fakes.bedrock_server import FakeBedrock
from tools.local.fakes.langfuse_server import FakeLangfuse

ROUNDS = 200
HANGING_ROUNDS = 100
SLOW_ROUNDS = 5
"""For the variants that are busy for seconds when the backend hangs."""

BACKEND_S = 0.15
"""The backend's response time."""

PAUSE_S = {"ok": 0.05, "hang": 0.5}
"""Idle time before each request, by the backend's fault."""

BUDGET_S = 3.0
"""The default time limit of an export."""

NEVER = "spans created, never sent"
BEFORE = "the same, sent in `finally`"
AFTER = "the same, sent after the answer (ours)"
SHORT = "ours, export limited to 0.5 s"
PLAIN = "Langfuse's documented setup, with flush"


def measure() -> Part:
    """Send requests to each variant in turn, then to ours with failing exports and killed environments."""
    with tempfile.TemporaryDirectory() as name, FakeBedrock() as bedrock:
        folder = Path(name)
        folder.chmod(0o755)  # the sandbox is another user's to read
        answering, exported, failed = _compared(folder, bedrock)
        hanging, failed_hanging = _hanging(folder, bedrock)
        faults = send_requests(bedrock)
    return Part(
        title="Traces",
        tables=[
            _table(f"A backend that answers in {1000 * BACKEND_S:.0f} ms", answering, exported),
            _table("A backend that hangs", hanging, {}),
            faults.table(),
        ],
        claims=_claims(answering, hanging, exported, faults),
        absent={**failed, **failed_hanging},
    )


def _compared(
    folder: Path, bedrock: FakeBedrock
) -> tuple[dict[str, list[RequestTime]], dict[str, tuple[int, float]], dict[str, str]]:
    with _variants(folder, bedrock, "ok") as variants:
        for variant in variants.values():
            variant.ask()
        samplers = {name: variant.ask for name, variant in variants.items()}
        found, failed = interleave("traces", samplers, ROUNDS, required=(NEVER, AFTER))
        return found, {name: variants[name].exported for name in found}, failed


def _hanging(folder: Path, bedrock: FakeBedrock) -> tuple[dict[str, list[RequestTime]], dict[str, str]]:
    with _variants(folder, bedrock, "hang") as variants:
        for variant in variants.values():
            variant.ask()
        found, failed = {}, {}
        for names, rounds in (((NEVER, SHORT), HANGING_ROUNDS), ((BEFORE, AFTER, PLAIN), SLOW_ROUNDS)):
            samplers = {name: variants[name].ask for name in names}
            some, some_failed = interleave("a backend that hangs", samplers, rounds, required=(AFTER,))
            found.update(some)
            failed.update(some_failed)
        return found, failed


@contextlib.contextmanager
def _variants(folder: Path, bedrock: FakeBedrock, fault: str) -> Iterator[Mapping[str, Variant]]:
    how: dict[str, tuple[Path, dict[str, str]]] = {
        NEVER: (deployed.never_sending(folder / f"never-{fault}"), {}),
        BEFORE: (ours(), {"TRACE_EXPORT": "before"}),
        AFTER: (ours(), {}),
        PLAIN: (PEERS / "plain", {}),
    }
    if fault == "hang":
        how[SHORT] = (ours(), {"TRACE_EXPORT_TIMEOUT_S": "0.5"})
    with contextlib.ExitStack() as stack:
        variants = {}
        for name, (code, settings) in how.items():
            langfuse = stack.enter_context(FakeLangfuse(response_delay_s=BACKEND_S))
            langfuse.inject_fault(fault)
            function = deployed.function(code, bedrock, langfuse)
            function = replace(function, environment={**function.environment, **settings})
            variants[name] = Variant(stack.enter_context(running(function)), langfuse, PAUSE_S[fault])
        yield variants


def _table(
    title: str, found: Mapping[str, list[RequestTime]], exported: Mapping[str, tuple[int, float]]
) -> Table:
    columns = ["handler", "requests", "latency", "environment busy"]
    rows: list[list[Cell]] = [
        [
            name,
            len(samples),
            spread([sample.latency for sample in samples]),
            spread([sample.busy for sample in samples]),
            *(exported[name] if exported else []),
        ]
        for name, samples in found.items()
    ]
    note = "Milliseconds. Each request goes to a frozen environment; the handlers take turns."
    return Table(title, [*columns, *(["spans lost", "KB per export"] if exported else [])], rows, note)


def _claims(
    answering: Mapping[str, list[RequestTime]],
    hanging: Mapping[str, list[RequestTime]],
    exported: Mapping[str, tuple[int, float]],
    faults: TraceFaults,
) -> list[Claim]:
    latency, latency_hanging = (
        {name: statistics.median(sample.latency for sample in samples) for name, samples in found.items()}
        for found in (answering, hanging)
    )
    slower = latency[BEFORE] - latency[NEVER]
    worst = max(sample.busy for sample in hanging[AFTER])
    return [
        at_most("latency, ours compared with never sending", latency[AFTER] - latency[NEVER], 1.0, " ms"),
        Claim(
            "latency, `finally` compared with never sending",
            f"≥ {1000 * BACKEND_S:.0f} ms",
            f"{figure(slower)} ms",
            slower >= 1000 * BACKEND_S,
        ),
        at_most(
            "latency with a backend that hangs, ours compared with never sending",
            latency_hanging[SHORT] - latency_hanging[NEVER],
            1.0,
            " ms",
        ),
        at_most(
            "longest time that an environment was busy with a backend that hangs, ours",
            worst / 1000,
            BUDGET_S + 0.5,
            " s",
        ),
        at_most("spans lost, ours", exported[AFTER][0], 0),
        at_most("traces lost when exports fail, except in killed environments", faults.lost, 0),
        at_most("spans duplicated when exports fail", faults.duplicated, 0),
    ]
