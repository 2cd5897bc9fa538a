"""What a million runs cost on Lambda by memory size, from wall time measured at its share of a CPU."""

import contextlib
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tools.bench import deployed
from tools.bench.cpu_limit import FULL_CORE_MB, limited, unavailable
from tools.bench.measured_environment import started
from tools.bench.result import Cell, Chart, Part, Table, spread
from tools.bench.sampling import interleave
from tools.local.fakes.bedrock_server import FakeBedrock
from tools.local.fakes.langfuse_server import FakeLangfuse
from tools.local.runtime.function import Function

MEMORY_MB = (256, 512, 1024, 1769, 3008)
MODEL_S = (2, 10)
ROUNDS = 5
WARM_REQUESTS = 10

PRICED = "June 2026"
REQUEST_USD = 0.20 / 1_000_000
GB_SECOND_USD = {"x86": 0.0000166667, "arm64": 0.0000133334}
"""us-east-1, the first tier, without the free tier (https://aws.amazon.com/lambda/pricing/)."""

VCPU_HOUR_USD, GB_HOUR_USD = 0.0895, 0.00945
"""AgentCore Runtime: CPU that is used, memory while the session lives
(https://aws.amazon.com/bedrock/agentcore/pricing/)."""

IDLE_S = 900
"""Until AgentCore Runtime ends an idle session, by default."""

_NOTE = f"""\
Prices of us-east-1, {PRICED}, without the free tier. Lambda bills init, the run and the export of its trace
at the full memory size, and also while the function waits for the model. The time of an arm64 function was
not measured: its price assumes the same time. Data transfer and the model's tokens are not included."""
_AGENTCORE_NOTE = f"""\
Published prices of {PRICED}: ${VCPU_HOUR_USD} per vCPU-hour of CPU that is used, ${GB_HOUR_USD} per
GB-hour of memory while the session lives. CPU and peak memory are those measured here
for a warm request; the service's own overhead is not included."""


@dataclass(frozen=True)
class EnvironmentCost:
    """One execution environment: seconds, CPU seconds and megabytes."""

    cold_s: float
    """Init, first answer and export, with a model that answers at once."""
    warm_s: float
    """A later answer and its export."""
    warm_cpu_s: float
    peak_mb: float


def measure() -> Part:
    """Start the function at each memory size in turn, with its CPU limited to the size's share."""
    if reason := unavailable():
        raise RuntimeError(reason)
    with contextlib.ExitStack() as stack:
        bedrock, langfuse = stack.enter_context(FakeBedrock()), stack.enter_context(FakeLangfuse())
        function = deployed.function(deployed.ours(), bedrock, langfuse)
        found, failed = interleave(
            "cost",
            {str(size): _sampler(function, size) for size in MEMORY_MB},
            ROUNDS,
            required=map(str, MEMORY_MB),
        )
    samples = {int(size): taken for size, taken in found.items()}
    return Part(
        title="Cost",
        tables=[_times(samples), _prices(samples), _agentcore(samples)],
        charts=[
            Chart(
                "A million warm runs on x86, without the model's tokens",
                "US dollars",
                lines={
                    f"a model that takes {model_s} s": [
                        (size, lambda_usd(size, model_s + _median(taken, "warm_s")))
                        for size, taken in samples.items()
                    ]
                    for model_s in MODEL_S
                },
                x_title="memory, MB",
            )
        ],
        absent=failed,
    )


def lambda_usd(memory_mb: int, seconds: float, architecture: str = "x86", runs: int = 1_000_000) -> float:
    """The price of so many runs of this duration in US dollars."""
    return runs * (REQUEST_USD + memory_mb / 1024 * seconds * GB_SECOND_USD[architecture])


def agentcore_usd(cpu_s: float, memory_mb: float, session_s: float, runs: int = 1_000_000) -> float:
    """The price of so many sessions of one run each in US dollars; at least one second is billed."""
    billed_s = max(session_s, 1.0)
    return runs * (cpu_s * VCPU_HOUR_USD + memory_mb / 1024 * billed_s * GB_HOUR_USD) / 3600


def _times(samples: Mapping[int, list[EnvironmentCost]]) -> Table:
    rows: list[list[Cell]] = [
        [
            size,
            size / FULL_CORE_MB,
            spread([sample.cold_s for sample in taken]),
            spread([1000 * sample.warm_s for sample in taken]),
            max(sample.peak_mb for sample in taken),
        ]
        for size, taken in samples.items()
    ]
    columns = ["memory MB", "vCPUs", "cold start, s", "warm request, ms", "peak MB"]
    note = (
        "Wall time until the trace is exported, with a model that answers at once; CPU limited to the share."
    )
    return Table("Time by memory size", columns, rows, note)


def _prices(samples: Mapping[int, list[EnvironmentCost]]) -> Table:
    rows: list[list[Cell]] = []
    for size, taken in samples.items():
        durations = [(_median(taken, kind), model_s) for model_s in MODEL_S for kind in ("warm_s", "cold_s")]
        prices = [lambda_usd(size, model_s + overhead_s) for overhead_s, model_s in durations]
        arm = [
            lambda_usd(size, model_s + _median(taken, "warm_s"), architecture="arm64") for model_s in MODEL_S
        ]
        rows.append([size, *prices, *arm])
    columns = ["memory MB", *(f"{s} s model, {kind}" for s in MODEL_S for kind in ("warm", "cold"))]
    columns += [f"{s} s model, warm, arm64" for s in MODEL_S]
    return Table("A million runs on Lambda, in US dollars", columns, rows, _NOTE)


def _agentcore(samples: Mapping[int, list[EnvironmentCost]]) -> Table:
    taken = samples[FULL_CORE_MB]
    cpu_s, warm_s = _median(taken, "warm_cpu_s"), _median(taken, "warm_s")
    peak_mb = max(sample.peak_mb for sample in taken)
    rows: list[list[Cell]] = [
        [
            f"{model_s} s",
            agentcore_usd(cpu_s, peak_mb, model_s + warm_s),
            agentcore_usd(cpu_s, peak_mb, model_s + warm_s + IDLE_S),
        ]
        for model_s in MODEL_S
    ]
    columns = ["model takes", "session ended after the run", f"session idle for {IDLE_S // 60} minutes"]
    return Table("The same runs on Bedrock AgentCore Runtime, in US dollars", columns, rows, _AGENTCORE_NOTE)


def _median(taken: list[EnvironmentCost], column: str) -> float:
    return float(statistics.median(getattr(sample, column) for sample in taken))


def _sampler(function: Function, memory_mb: int) -> Callable[[], EnvironmentCost]:
    def sample() -> EnvironmentCost:
        with limited(memory_mb / FULL_CORE_MB) as join:
            return _sample(function, join)

    return sample


def _sample(function: Function, join: Callable[[], None]) -> EnvironmentCost:
    began = time.perf_counter()
    with started(function, join) as environment:
        environment.ask()
        cold_s = time.perf_counter() - began
        environment.ask()  # imports what only a second request needs
        began, cpu_s = time.perf_counter(), environment.cpu_s()
        for _ in range(WARM_REQUESTS):
            environment.ask()
        return EnvironmentCost(
            cold_s=cold_s,
            warm_s=(time.perf_counter() - began) / WARM_REQUESTS,
            warm_cpu_s=(environment.cpu_s() - cpu_s) / WARM_REQUESTS,
            peak_mb=environment.peak_mb(),
        )
