"""The cost of a request to a warm function: CPU, memory, latency under load, and how the cost grows."""

import statistics
from collections.abc import Mapping

from tools.bench import deployed, mcp_call, warm_growth
from tools.bench.deployed import PEERS
from tools.bench.result import Chart, Claim, Part, Table, at_most, figure, spread
from tools.bench.warm_growth import MAX_ROUNDS, MEASURED_AT, REQUESTS
from tools.bench.warm_requests import (
    BARE,
    NEVER_SENT,
    OURS,
    TLS,
    TLS_NEW_CONNECTION,
    UNTRACED,
    RequestCost,
    compare,
    handlers,
)
from tools.local.fakes.bedrock_server import FakeBedrock
from tools.local.fakes.langfuse_server import FakeLangfuse

_COSTS_NOTE = """\
One environment, frozen between its requests; a question that makes the agent use a tool. The difference
between the second row and "ours" is the cost of the trace: its spans, OpenTelemetry's encoder, the request
to the backend on a kept connection, and Langfuse's SDK, which examines every attribute."""
_IDLE = "a handler that does nothing"
_MEMORY_NOTE = """\
AWS's runtime client sets the trace id of each request in the environment, and the C library never frees the
previous value of a variable: 150 bytes per request with any handler."""
_LOAD_NOTE = f"""\
Over HTTP; each client sends one request after another. The figures are those of the first of up to
{MAX_ROUNDS} rounds that starts no new environment: an environment that still sends a trace takes no request.
The cores are the limit."""


def measure() -> Part:
    """Measure on the built layers, with fakes that answer at once."""
    with FakeBedrock() as bedrock, FakeLangfuse() as langfuse, handlers(bedrock, langfuse) as functions:
        measured = {_IDLE: deployed.function(PEERS / "idle", bedrock, langfuse), **functions}
        costs, failed = compare(functions)
        memory = {
            name: warm_growth.memory_mb(name, measured[name], bedrock, langfuse)
            for name in (_IDLE, BARE, OURS)
        }
        load = warm_growth.load(bedrock, langfuse)
        turns = warm_growth.turns(bedrock, langfuse)
        tools = warm_growth.tools(bedrock, langfuse)
        mcp_table, mcp_claim = mcp_call.measure(bedrock, langfuse)
    return Part(
        title="Warm requests",
        tables=[
            Table(
                "A request with the export of its trace, in milliseconds",
                ["handler", "CPU", "wall", "requests per second"],
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
                f"Memory over {REQUESTS:,} requests, in MB",
                ["requests", *memory],
                [[number, *(values[number] for values in memory.values())] for number in MEASURED_AT],
                _MEMORY_NOTE,
            ),
            Table(
                "Clients at once",
                ["clients", "environments", "requests per second", "median ms", "95 % ms"],
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
            mcp_table,
        ],
        claims=[*_claims(costs, memory), mcp_claim],
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


def _claims(costs: Mapping[str, list[RequestCost]], memory: Mapping[str, Mapping[int, float]]) -> list[Claim]:
    cpu = {name: statistics.median(sample.cpu for sample in samples) for name, samples in costs.items()}
    idle, ours = (memory[name][REQUESTS] - memory[name][1_000] for name in (_IDLE, OURS))
    return [
        at_most(
            "CPU of a traced request against a bare Strands agent call",
            cpu[OURS] / cpu[BARE],
            1.35,
            reason=_traced_reason(cpu),
        ),
        at_most(
            "over TLS, CPU of a traced request against a new connection for each export",
            cpu[TLS] / cpu[TLS_NEW_CONNECTION],
            0.85,
            reason=f"a new connection takes {figure(cpu[TLS_NEW_CONNECTION] - cpu[TLS])} ms of a request; "
            "all other work is the same in both.",
        ),
        at_most(
            f"memory gained from request 1,000 to {REQUESTS:,}, more than a handler that does nothing",
            ours - idle,
            0.5,
            " MB",
        ),
    ]


def _traced_reason(cpu: Mapping[str, float]) -> str:
    """What the trace costs, if the variants that separate its parts were measured."""
    if not {UNTRACED, NEVER_SENT} <= cpu.keys():
        return ""
    recording, exporting = cpu[NEVER_SENT] - cpu[UNTRACED], cpu[OURS] - cpu[NEVER_SENT]
    return (
        f"of {figure(cpu[OURS])} ms, recording the spans that Strands and the handler make takes "
        f"{figure(recording)} ms, and exporting them {figure(exporting)} ms."
    )
