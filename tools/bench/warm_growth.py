"""How the cost of a warm request grows: with requests, clients at once, turns of the agent, and tools."""

import contextlib
import statistics
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
from rich.progress import track

from tools.bench import deployed
from tools.bench.deployed import check, event, ours, running
from tools.bench.warm_requests import BATCH, ask
from tools.command import ERR
from tools.local.fakes.bedrock_server import FakeBedrock
from tools.local.fakes.langfuse_server import FakeLangfuse
from tools.local.function_url.server import FunctionUrlServer
from tools.local.runtime import processes
from tools.local.runtime.function import Function

REQUESTS = 5_000
MEASURED_AT = (1, 100, 1_000, 2_000, 3_000, 4_000, REQUESTS)
MAX_ROUNDS = 6
_CLIENTS = (1, 2, 3, 4, 6, 8)
"""With twice as many, two cores need over fifty environments, which is the limit of the local cloud."""
_REQUESTS_PER_CLIENT = 40
_TOOL = '''
@tool
def spare_{number}(text: str) -> str:
    """Return the text.

    Args:
        text: Any text.
    """
    return text
'''


def memory_mb(
    name: str, function: Function, bedrock: FakeBedrock, langfuse: FakeLangfuse
) -> dict[int, float]:
    """The resident memory of one environment in MB, by the number of requests."""
    held = {}
    with running(function) as environments:
        for number in track(range(1, REQUESTS + 1), f"memory, {name}", console=ERR, transient=True):
            check(environments.invoke(event()))
            (pid,) = environments.drain()
            if number in MEASURED_AT:
                held[number] = processes.resident_mb(pid)
            langfuse.exports.clear()
            bedrock.requests.clear()
    return held


def load(bedrock: FakeBedrock, langfuse: FakeLangfuse) -> dict[int, tuple[int, float, float, float]]:
    """Environments, requests per second, median and 95th percentile in milliseconds, by clients at once."""
    figures = {}
    with (
        running(deployed.function(ours(), bedrock, langfuse)) as environments,
        FunctionUrlServer(environments) as url_server,
        ThreadPoolExecutor(max(_CLIENTS)) as pool,
    ):
        for clients in track(_CLIENTS, "load", console=ERR, transient=True):
            for _ in range(MAX_ROUNDS):
                awake = len(environments.drain())
                started = time.perf_counter()
                answered = pool.map(_client, [url_server.url] * clients)
                latencies = [latency for client in answered for latency in client]
                rate = len(latencies) / (time.perf_counter() - started)
                if len(environments.drain()) == awake:
                    break
            middle, high = statistics.median(latencies), statistics.quantiles(latencies, n=20)[-1]
            figures[clients] = (len(environments.drain()), rate, middle, high)
    return figures


def _client(url: str) -> list[float]:
    latencies = []
    with httpx.Client(timeout=60, trust_env=False) as client:
        for _ in range(_REQUESTS_PER_CLIENT):
            sent = time.perf_counter()
            client.post(url, json={"query": deployed.QUERY}).raise_for_status()
            latencies.append(1000 * (time.perf_counter() - sent))
    return latencies


def turns(bedrock: FakeBedrock, langfuse: FakeLangfuse) -> dict[int, tuple[int, float]]:
    """Spans and CPU milliseconds of a run, by the agent's turns."""
    figures = {}
    for turns in (2, 5, 10, 20):
        with running(deployed.function(ours(), bedrock, langfuse, MAX_TURNS=str(turns))) as environments:
            ask(environments, 3, "[[loop]]")
            spans = len(langfuse.traces()[-1].spans)
            figures[turns] = (spans, ask(environments, 10, "[[loop]]").cpu)
    return figures


def tools(bedrock: FakeBedrock, langfuse: FakeLangfuse) -> dict[int, float]:
    """CPU milliseconds of a run, by the number of the agent's tools."""
    figures = {}
    for extra in (0, 7, 17, 37):
        with _with_tools(extra) as code, running(deployed.function(code, bedrock, langfuse)) as environments:
            ask(environments, 3)
            figures[3 + extra] = ask(environments, BATCH).cpu
    return figures


@contextlib.contextmanager
def _with_tools(extra: int) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        agent = (ours() / "agent.py").read_text("utf-8")
        spare = [f"spare_{number}" for number in range(extra)]
        definitions = "".join(_TOOL.format(number=number) for number in range(extra))
        imports = "\n\nfrom strands import tool\n"
        agent += f"{imports}{definitions}\nTOOLS += [{', '.join(spare)}]\n"
        yield deployed.copy(ours(), Path(folder) / "code", {"agent.py": agent})
