"""What a request costs once the function is awake: CPU, memory, latency under load, and how cost grows."""

import contextlib
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import httpx
from rich.progress import track

from layers import function_asset
from tools.bench import deployed
from tools.bench.deployed import PEERS, check, event, ours, running
from tools.bench.result import Chart, Claim, Part, Table, at_most, spread
from tools.bench.sampling import interleave
from tools.command import ERR
from tools.local.fakes.bedrock_server import FakeBedrock
from tools.local.fakes.langfuse_server import FakeLangfuse
from tools.local.function_url.server import FunctionUrlServer
from tools.local.runtime import processes
from tools.local.runtime.environment_pool import EnvironmentPool
from tools.local.runtime.function import Function
from traced_agent.tracing import langfuse_protocol

BATCH = 50
ROUNDS = 8
SOAK = 5_000
SOAKED = (1, 100, 1_000, 2_000, 3_000, 4_000, SOAK)
CLIENTS = (1, 2, 3, 4, 6, 8)
"""With twice as many, two cores need over fifty environments, which is all that the local cloud gives."""
REQUESTS_A_CLIENT = 40
LOADED_AT_MOST = 6
_BARE = "a bare Strands agent call"
_OURS = "ours"
_COSTS_NOTE = """\
One environment, frozen between its requests; a question that makes the agent use a tool. The difference
between the second row and the last is the cost of the trace: its spans, OpenTelemetry's encoder, the request
to the backend on a kept connection, and Langfuse's SDK, which examines every attribute."""
_IDLE = "a handler that does nothing"
_MEMORY_NOTE = """\
AWS's runtime client sets the trace id of each request in the environment, and the C library never gives back
what a variable held before: 150 bytes a request, whatever the handler."""
_LOAD_NOTE = f"""\
Over HTTP, each client one request after another, in the first of up to {LOADED_AT_MOST} rounds that needs no
new environment: one that still sends a trace takes no request. The cores are what gives out."""
_TOOL = '''
@tool
def spare_{number}(text: str) -> str:
    """Do nothing of use.

    Args:
        text: Anything.
    """
    return text
'''


@dataclass(frozen=True)
class Sample:
    """A batch of requests, one after another: milliseconds a request."""

    cpu: float
    wall: float


def measure() -> Part:
    """Measure on the built layers, with stand-ins that answer at once."""
    with FakeBedrock() as bedrock, FakeLangfuse() as langfuse, _handlers(bedrock, langfuse) as handlers:
        soaked = {_IDLE: deployed.function(PEERS / "idle", bedrock, langfuse), **handlers}
        costs, failed = _costs(handlers)
        memory = {name: _soak(name, soaked[name], bedrock, langfuse) for name in (_IDLE, _BARE, _OURS)}
        load = _load(bedrock, langfuse)
        turns = _turns(bedrock, langfuse)
        tools = _tools(bedrock, langfuse)
    return Part(
        title="Warm requests",
        tables=[
            Table(
                "A request, its trace exported, in milliseconds",
                ["handler", "CPU", "wall", "requests a second"],
                [
                    [
                        name,
                        spread([sample.cpu for sample in samples]),
                        spread([sample.wall for sample in samples]),
                        1000 / statistics.median(sample.wall for sample in samples),
                    ]
                    for name, samples in costs.items()
                ],
                _COSTS_NOTE,
            ),
            Table(
                f"Memory over {SOAK:,} requests, in MB",
                ["requests", *memory],
                [[number, *(held[number] for held in memory.values())] for number in SOAKED],
                _MEMORY_NOTE,
            ),
            Table(
                "Many at once",
                ["clients", "environments", "requests a second", "median ms", "95 % ms"],
                [[clients, *figures] for clients, figures in load.items()],
                _LOAD_NOTE,
            ),
            Table(
                "Cost and the conversation",
                ["turns of the agent", "spans", "CPU ms"],
                [[number, *figures] for number, figures in turns.items()],
                "Each turn is a call of the model, a call of a tool, two more messages and three more spans.",
            ),
            Table(
                "Cost and the tools", ["tools", "CPU ms"], [[number, cpu] for number, cpu in tools.items()]
            ),
        ],
        claims=_claims(costs, memory),
        charts=[
            Chart(
                "Latency against load",
                "ms",
                lines={
                    "median": [(clients, figures[2]) for clients, figures in load.items()],
                    "95 %": [(clients, figures[3]) for clients, figures in load.items()],
                },
                x_title="clients at once",
            )
        ],
        absent=failed,
    )


@contextlib.contextmanager
def _handlers(bedrock: FakeBedrock, langfuse: FakeLangfuse) -> Iterator[dict[str, Function]]:
    with tempfile.TemporaryDirectory() as folder:
        bare = deployed.copy(ours(), Path(folder) / "bare")
        shutil.copyfile(PEERS / "bare" / "lambda_handler.py", bare / "lambda_handler.py")
        never = deployed.never_sending(Path(folder) / "never")
        yield {
            _BARE: deployed.function(bare, bedrock, langfuse),
            "ours, untraced": deployed.function(ours(), bedrock, langfuse, LANGFUSE_TRACING_ENABLED="false"),
            "ours, spans never sent": deployed.function(never, bedrock, langfuse),
            "ours, to plain OTLP": deployed.function(
                ours(),
                bedrock,
                langfuse,
                OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=langfuse.url + langfuse_protocol.PATH,
                OTEL_EXPORTER_OTLP_TRACES_HEADERS=_otlp_headers(langfuse),
            ),
            _OURS: deployed.function(ours(), bedrock, langfuse),
        }


def _otlp_headers(langfuse: FakeLangfuse) -> str:
    headers = langfuse_protocol.headers(langfuse.public_key, langfuse.secret_key)
    return ",".join(f"{name}={quote(value)}" for name, value in headers.items())


def _costs(handlers: Mapping[str, Function]) -> tuple[dict[str, list[Sample]], dict[str, str]]:
    with contextlib.ExitStack() as stack:
        samplers = {
            name: _batch(stack.enter_context(running(function))) for name, function in handlers.items()
        }
        return interleave("warm requests", samplers, ROUNDS, required=(_BARE, _OURS))


def _batch(environments: EnvironmentPool) -> Callable[[], Sample]:
    _ask(environments, 10)

    def sample() -> Sample:
        return _ask(environments, BATCH)

    return sample


def _ask(environments: EnvironmentPool, count: int, query: str = deployed.QUERY) -> Sample:
    """Ask one after another; the time between the answer and the freeze counts as CPU, not as wall."""
    pid = _warm(environments)
    cpu, wall = processes.cpu_s(pid), 0.0
    for _ in range(count):
        asked = time.perf_counter()
        invocation = environments.invoke(event(query))
        wall += time.perf_counter() - asked
        check(invocation)
        environments.drain()
    return Sample(1000 * (processes.cpu_s(pid) - cpu) / count, 1000 * wall / count)


def _warm(environments: EnvironmentPool) -> int:
    if not environments.drain():
        check(environments.invoke(event()))
    (pid,) = environments.drain()
    return pid


def _soak(name: str, function: Function, bedrock: FakeBedrock, langfuse: FakeLangfuse) -> dict[int, float]:
    """The memory of its one environment after so many requests, in MB."""
    held = {}
    with running(function) as environments:
        for number in track(range(1, SOAK + 1), f"memory, {name}", console=ERR, transient=True):
            check(environments.invoke(event()))
            (pid,) = environments.drain()
            if number in SOAKED:
                held[number] = processes.resident_mb(pid)
            langfuse.exports.clear()
            bedrock.requests.clear()
    return held


def _load(bedrock: FakeBedrock, langfuse: FakeLangfuse) -> dict[int, tuple[int, float, float, float]]:
    """Environments, requests a second, median and 95th percentile in milliseconds, by clients at once."""
    figures = {}
    with (
        running(deployed.function(ours(), bedrock, langfuse)) as environments,
        FunctionUrlServer(environments) as front,
        ThreadPoolExecutor(max(CLIENTS)) as pool,
    ):
        for clients in track(CLIENTS, "load", console=ERR, transient=True):
            for _ in range(LOADED_AT_MOST):
                awake = len(environments.drain())
                began = time.perf_counter()
                answered = pool.map(_client, [front.url] * clients)
                latencies = [latency for client in answered for latency in client]
                rate = len(latencies) / (time.perf_counter() - began)
                if len(environments.drain()) == awake:
                    break
            middle, high = statistics.median(latencies), statistics.quantiles(latencies, n=20)[-1]
            figures[clients] = (len(environments.drain()), rate, middle, high)
    return figures


def _client(url: str) -> list[float]:
    latencies = []
    with httpx.Client(timeout=60, trust_env=False) as client:
        for _ in range(REQUESTS_A_CLIENT):
            asked = time.perf_counter()
            client.post(url, json={"query": deployed.QUERY}).raise_for_status()
            latencies.append(1000 * (time.perf_counter() - asked))
    return latencies


def _turns(bedrock: FakeBedrock, langfuse: FakeLangfuse) -> dict[int, tuple[int, float]]:
    """Spans and CPU milliseconds of a run, by the turns that the agent takes."""
    figures = {}
    for turns in (2, 5, 10, 20):
        with running(deployed.function(ours(), bedrock, langfuse, MAX_TURNS=str(turns))) as environments:
            _ask(environments, 3, "[[loop]]")
            spans = len(langfuse.traces()[-1].spans)
            figures[turns] = (spans, _ask(environments, 10, "[[loop]]").cpu)
    return figures


def _tools(bedrock: FakeBedrock, langfuse: FakeLangfuse) -> dict[int, float]:
    """CPU milliseconds of a run, by the tools that the agent has."""
    figures = {}
    for extra in (0, 7, 17, 37):
        with _with_tools(extra) as code, running(deployed.function(code, bedrock, langfuse)) as environments:
            _ask(environments, 3)
            figures[3 + extra] = _ask(environments, BATCH).cpu
    return figures


@contextlib.contextmanager
def _with_tools(extra: int) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        code = deployed.copy(ours(), Path(folder) / "code")
        agent = code / "agent.py"
        spare = [f"spare_{number}" for number in range(extra)]
        definitions = "".join(_TOOL.format(number=number) for number in range(extra))
        imports = "\n\nfrom strands import tool\n"
        agent.write_text(f"{agent.read_text()}{imports}{definitions}\nTOOLS += [{', '.join(spare)}]\n")
        function_asset.compile_asset(code)
        yield code


def _claims(costs: Mapping[str, list[Sample]], memory: Mapping[str, Mapping[int, float]]) -> list[Claim]:
    cpu = {name: statistics.median(sample.cpu for sample in samples) for name, samples in costs.items()}
    idle, ours = (memory[name][SOAK] - memory[name][1_000] for name in (_IDLE, _OURS))
    return [
        at_most("CPU of a traced request against a bare Strands agent call", cpu[_OURS] / cpu[_BARE], 1.3),
        at_most(
            f"memory gained from request 1,000 to {SOAK:,}, over a handler that does nothing",
            ours - idle,
            0.5,
            " MB",
        ),
    ]
