"""A soak test: mixed requests in many sessions, on the deployed function, with faulty model answers."""

import random
import statistics
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import SimpleQueue

import httpx

from layers import function_asset
from tools.bench.result import Cell, Part, Table, at_most, none_of
from tools.bench.soak_plan import Plan
from tools.bench.soak_processes import ProcessFigures, growth, sample
from tools.bench.soak_session import Outcome, SoakSession
from tools.local.cloud.local_cloud import LocalCloud
from tools.local.fakes.bedrock_faults import FAULTS

CONTEXT = {"streaming": "true", "sessions": "true", "timeout_s": "10"}
AGENT = Path(__file__).parent / "peers" / "soak"
MEMORY_GROWTH = 1.25
_SPARE = 2
"""Environments for the runs that clients have left."""

MAX_TURNS = 80
"""Of a session; a new one replaces it."""


@dataclass
class Findings:
    """What the soak test found."""

    phases: list[list[Outcome]] = field(default_factory=list)
    checks: list[Outcome] = field(default_factory=list)
    """The next question of each session, without faults."""
    arrived: set[str] = field(default_factory=set)
    """The ids of the traces that arrived."""
    processes: list[dict[int, ProcessFigures]] = field(default_factory=list)
    """After each phase, by process id."""
    injected: Counter[str] = field(default_factory=Counter)
    """How often the model met each fault; `ok` counts its other answers."""
    rejected: Counter[str] = field(default_factory=Counter)
    """The conversations that break Bedrock's rules, by message."""
    seconds: float = 0.0

    @property
    def outcomes(self) -> list[Outcome]:
        """The outcome of each request, in the order of phases."""
        return [outcome for phase in self.phases for outcome in phase]


def measure(plan: Plan) -> Part:
    """Deploy the stack to the local cloud with the soak test's agent, and send the requests."""
    with LocalCloud(CONTEXT, log=lambda _: None) as cloud:
        return replace(report(soak(cloud, plan)), options=plan.options)


def soak(cloud: LocalCloud, plan: Plan, faults: Sequence[str] = tuple(FAULTS)) -> Findings:
    """Send the plan's requests to a cloud that was deployed with `CONTEXT`.

    Raises:
        RuntimeError: the soak test's agent does not start.
    """
    if error := cloud.update(function_asset.assembled(AGENT)):
        raise RuntimeError(f"the agent of the soak test does not start: {error}")
    found, sent = Findings(), 0
    with httpx.Client(trust_env=False) as client:
        sessions = [_session(cloud, client, number) for number in range(plan.sessions)]
        ended: list[SoakSession] = []
        _warm_up(cloud, sessions[: plan.clients + _SPARE])
        began = time.monotonic()
        before = cloud.bedrock.injected.copy(), cloud.bedrock.rejected.copy()
        cloud.bedrock.inject_share(faults, plan.faults)
        while sent < plan.requests or time.monotonic() < began + 60 * plan.minutes:
            count = plan.phase if plan.minutes else min(plan.phase, plan.requests - sent)
            found.phases.append(_send(sessions, count, plan))
            sent += count
            _note_state(cloud, found)
            long = [session for session in sessions if session.turns >= MAX_TURNS]
            sessions = [session.successor() if session in long else session for session in sessions]
            ended += long
        found.seconds = time.monotonic() - began
        cloud.bedrock.inject_fault("ok")
        found.injected = cloud.bedrock.injected - before[0]
        found.checks += [session.check() for session in [*ended, *sessions] if session.turns]
        found.rejected = cloud.bedrock.rejected - before[1]
    _note_state(cloud, found)
    return found


def _session(cloud: LocalCloud, client: httpx.Client, number: int) -> SoakSession:
    return SoakSession(
        cloud.url,
        lambda payload: cloud.pool.invoke(payload).payload,
        f"soak-{number}",
        client,
        random.Random(number),
    )


def _warm_up(cloud: LocalCloud, sessions: Sequence[SoakSession]) -> None:
    """Start an environment per session, one after the other: starts at the same time take too long."""
    cloud.bedrock.word_interval_s = 0.1
    for count in range(1, len(sessions) + 1):
        with ThreadPoolExecutor(count) as clients:
            list(clients.map(SoakSession.check, sessions[:count]))
    cloud.bedrock.word_interval_s = 0.0


def _send(sessions: Sequence[SoakSession], count: int, plan: Plan) -> list[Outcome]:
    """Send so many requests with the plan's clients; the sessions take turns."""
    idle: SimpleQueue[SoakSession] = SimpleQueue()
    for session in sessions:
        idle.put(session)
    began = time.monotonic()

    def send(number: int) -> Outcome:
        if plan.rate:
            time.sleep(max(0.0, began + number / plan.rate - time.monotonic()))
        session = idle.get()
        try:
            return session.send_next()
        finally:
            idle.put(session)

    with ThreadPoolExecutor(plan.clients) as clients:
        return list(clients.map(send, range(count)))


def _note_state(cloud: LocalCloud, found: Findings) -> None:
    """Wait until nothing runs; then note the traces that arrived and what the processes hold."""
    found.processes.append(sample(cloud.pool.drain()))
    found.arrived |= {trace.trace_id for trace in cloud.langfuse.traces() if trace.root}


def report(found: Findings) -> Part:
    """The figures and the claims."""
    outcomes = found.outcomes
    unable = [check for check in found.checks if check.result != "end_turn"]
    lost = {one.trace_id for one in [*outcomes, *found.checks] if one.trace_id} - found.arrived
    unexplained = [one for one in outcomes if one.result in ("internal_error", "no answer")]
    return Part(
        title="Soak test",
        tables=[
            _requests(found),
            _faults(found.injected),
            _results(outcomes),
            _over_time(found),
            *([_table_of("Rejected conversations", found.rejected)] if found.rejected else []),
            *([_details("Sessions that cannot answer", unable)] if unable else []),
            *([_details("Unexplained failures", unexplained)] if unexplained else []),
        ],
        claims=[
            none_of("sessions that cannot answer their next question", len(unable)),
            none_of("conversations that Bedrock rejects", found.rejected.total()),
            none_of("traces that were lost", len(lost)),
            none_of("streams whose joined text lacks the answer", sum(one.text_differs for one in outcomes)),
            none_of("internal errors, and requests without an answer", len(unexplained)),
            at_most("kinds of faults that were not injected", len(FAULTS.keys() - found.injected.keys()), 0),
            at_most(
                "memory of an environment at its end over its beginning",
                growth(found.processes),
                MEMORY_GROWTH,
            ),
        ],
    )


def _requests(found: Findings) -> Table:
    ways = Counter(one.way for one in found.outcomes)
    rows: list[list[Cell]] = [["requests", len(found.outcomes)]]
    rows += [[way, count] for way, count in ways.most_common()]
    rows += [["sessions", len(found.checks)], ["minutes", found.seconds / 60]]
    return Table("What was sent", ["", "count"], rows, "A disconnected client leaves as the stream starts.")


def _faults(injected: Counter[str]) -> Table:
    faulty = injected.total() - injected["ok"]
    share = 100 * faulty / max(1, injected.total())
    rows: list[list[Cell]] = [[name, injected[name]] for name in FAULTS]
    note = (
        f"{faulty:,} of the model's {injected.total():,} answers ({share:.1f} %) were faulty. "
        "[The local cloud](local.md#the-fake-model) describes the faults."
    )
    return Table("Faulty answers of the model", ["fault", "count"], rows, note)


def _results(outcomes: Sequence[Outcome]) -> Table:
    results = Counter((one.status, one.result) for one in outcomes)
    rows: list[list[Cell]] = [
        [f"{status}", result, count] for (status, result), count in sorted(results.items())
    ]
    note = "An error of a streamed answer has the status 200; `left` is a client that disconnected."
    return Table("Results", ["status", "stop reason or error", "count"], rows, note)


def _over_time(found: Findings) -> Table:
    rows: list[list[Cell]] = []
    for label, phase, processes in (
        ("first", found.phases[0], found.processes[0]),
        ("last", found.phases[-1], found.processes[len(found.phases) - 1]),
    ):
        seconds = [one.seconds for one in phase if one.result == "end_turn"]
        held = list(processes.values())
        rows.append(
            [
                f"{label} {len(phase)} requests",
                1000 * statistics.median(seconds) if seconds else 0.0,
                len(held),
                statistics.fmean(one.resident_mb for one in held),
                statistics.fmean(one.threads for one in held),
                statistics.fmean(one.open_files for one in held),
            ]
        )
    columns = ["after the", "median ms to an answer", "environments", "MB", "threads", "open files"]
    note = "Memory, threads and open files are means of the execution environments."
    return Table("Resources and latency", columns, rows, note)


def _table_of(title: str, counts: Counter[str]) -> Table:
    return Table(title, ["what", "count"], [[what, count] for what, count in counts.most_common()])


def _details(title: str, outcomes: Sequence[Outcome]) -> Table:
    rows: list[list[Cell]] = [
        [one.kind, one.way, f"{one.status}", one.result, one.message] for one in outcomes[:20]
    ]
    return Table(title, ["request", "way", "status", "result", "message"], rows)
