"""CPU and wall time of warm requests: a bare Strands agent call, and our handler with each trace backend."""

import contextlib
import ssl
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import trustme

from tools.bench import deployed
from tools.bench.deployed import PEERS, check, event, ours, running
from tools.bench.sampling import interleave
from tools.local.fakes.bedrock_server import FakeBedrock
from tools.local.fakes.langfuse_server import FakeLangfuse
from tools.local.runtime import processes
from tools.local.runtime.environment_pool import EnvironmentPool
from tools.local.runtime.function import Function
from traced_agent.tracing import langfuse_protocol

BATCH = 50
ROUNDS = 8
BARE = "a bare Strands agent call"
UNTRACED = "ours, untraced"
NEVER_SENT = "ours, spans never sent"
OURS = "ours"
TLS = "ours, over TLS"
TLS_NEW_CONNECTION = "ours, over TLS, a new connection for each export"
_NEW_CONNECTION = ("_MAX_IDLE_S: Final = 60.0", "_MAX_IDLE_S: Final = 0.0")


@dataclass(frozen=True)
class RequestCost:
    """A batch of requests, one after another: milliseconds a request."""

    cpu: float
    wall: float


@contextlib.contextmanager
def handlers(bedrock: FakeBedrock, langfuse: FakeLangfuse) -> Iterator[dict[str, Function]]:
    """The functions whose requests are compared, by name."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        handler = (PEERS / "bare" / "lambda_handler.py").read_text("utf-8")
        bare = deployed.copy(ours(), folder / "bare", {"lambda_handler.py": handler})
        never = deployed.never_sending(folder / "never")
        with _over_tls(folder, bedrock) as over_tls:
            yield {
                BARE: deployed.function(bare, bedrock, langfuse),
                UNTRACED: deployed.function(ours(), bedrock, langfuse, LANGFUSE_TRACING_ENABLED="false"),
                NEVER_SENT: deployed.function(never, bedrock, langfuse),
                "ours, to plain OTLP": deployed.function(
                    ours(),
                    bedrock,
                    langfuse,
                    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=langfuse.url + langfuse_protocol.PATH,
                    OTEL_EXPORTER_OTLP_TRACES_HEADERS=_otlp_headers(langfuse),
                ),
                OURS: deployed.function(ours(), bedrock, langfuse),
                **over_tls,
            }


@contextlib.contextmanager
def _over_tls(folder: Path, bedrock: FakeBedrock) -> Iterator[dict[str, Function]]:
    """Our handler with a backend over TLS: with its kept connection, and with a new one for each export."""
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    variants = {
        TLS: deployed.copy(ours(), folder / "kept"),
        TLS_NEW_CONNECTION: deployed.copy(ours(), folder / "new", idle_connection=_NEW_CONNECTION),
    }
    with FakeLangfuse(tls=context) as langfuse:
        for code in variants.values():
            authority.cert_pem.write_to_path(code / "ca.pem")
        yield {
            name: deployed.function(code, bedrock, langfuse, SSL_CERT_FILE="/var/task/ca.pem")
            for name, code in variants.items()
        }


def _otlp_headers(langfuse: FakeLangfuse) -> str:
    headers = langfuse_protocol.headers(langfuse.public_key, langfuse.secret_key)
    return ",".join(f"{name}={quote(value)}" for name, value in headers.items())


def compare(functions: Mapping[str, Function]) -> tuple[dict[str, list[RequestCost]], dict[str, str]]:
    """Measure each function in turn; returns the samples, and the reasons of the functions that failed."""
    with contextlib.ExitStack() as stack:
        samplers = {
            name: sampler(stack.enter_context(running(function))) for name, function in functions.items()
        }
        return interleave("warm requests", samplers, ROUNDS, required=(BARE, OURS, TLS, TLS_NEW_CONNECTION))


def sampler(environments: EnvironmentPool, query: str = deployed.QUERY) -> Callable[[], RequestCost]:
    """A function that measures one batch, after some requests that are not measured."""
    ask(environments, 10, query)
    return lambda: ask(environments, BATCH, query)


def ask(environments: EnvironmentPool, count: int, query: str = deployed.QUERY) -> RequestCost:
    """Send requests one after another; the time between the answer and the freeze counts only as CPU."""
    pid = _awake(environments)
    cpu, wall = processes.cpu_s(pid), 0.0
    for _ in range(count):
        sent = time.perf_counter()
        invocation = environments.invoke(event(query))
        wall += time.perf_counter() - sent
        check(invocation)
        environments.drain()
    return RequestCost(1000 * (processes.cpu_s(pid) - cpu) / count, 1000 * wall / count)


def _awake(environments: EnvironmentPool) -> int:
    if not environments.drain():
        check(environments.invoke(event()))
    (pid,) = environments.drain()
    return pid
