"""Requests to a function that has a trace backend of its own."""

import json
import time
from dataclasses import dataclass, field

from tools.bench import deployed
from tools.local.fakes.langfuse_server import FakeLangfuse
from tools.local.runtime.environment_pool import EnvironmentPool

SPANS = 7
"""Spans of one run: the root, the agent, two cycles, two model calls, and one tool call."""


@dataclass(frozen=True)
class RequestTime:
    """One request, in milliseconds."""

    latency: float
    """Until the caller has the answer."""
    busy: float
    """Until the environment is frozen."""


@dataclass
class Variant:
    """A function and its trace backend."""

    environments: EnvironmentPool
    langfuse: FakeLangfuse
    pause_s: float = 0.0
    """Idle time before each request, so that the previous request's work does not affect it."""
    trace_ids: list[str] = field(default_factory=list)
    """The trace ids of its runs; empty strings if the answer has none."""

    def ask(self) -> RequestTime:
        """Send one request when the environment is frozen."""
        self.environments.drain()
        time.sleep(self.pause_s)
        sent_at = time.perf_counter()
        invocation = self.environments.invoke(deployed.event())
        latency = time.perf_counter() - sent_at
        deployed.check(invocation)
        self.environments.drain()
        busy = time.perf_counter() - sent_at
        self.trace_ids.append(json.loads(json.loads(invocation.payload)["body"]).get("trace_id", ""))
        return RequestTime(1000 * latency, 1000 * busy)

    @property
    def exported(self) -> tuple[int, float]:
        """The number of spans that did not arrive, and the mean size of an export in KB."""
        sizes = [int(export.headers["content-length"]) for export in self.langfuse.exports]
        lost = SPANS * len(self.trace_ids) - sum(self.arrived.values())
        return lost, sum(sizes) / len(sizes) / 1000 if sizes else 0.0

    @property
    def arrived(self) -> dict[str, int]:
        """The number of spans that arrived, by trace; a span that arrived twice counts twice."""
        return {trace.trace_id: len(trace.spans) for trace in self.langfuse.traces()}
