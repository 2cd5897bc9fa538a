"""CPU and time from the start of a process to its first answer: Langfuse's documented handler, and ours."""

import contextlib
import functools
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.bench import cold_start_steps, deployed
from tools.bench.cold_start_steps import STEPS
from tools.bench.cpu_limit import FULL_CORE_MB, limited, unavailable
from tools.bench.measured_environment import started
from tools.bench.result import Chart, Claim, Part, Table, at_most, spread
from tools.bench.sampling import interleave
from tools.local.fakes.bedrock_server import FakeBedrock
from tools.local.fakes.langfuse_server import FakeLangfuse
from tools.local.fakes.openid_provider import CLIENT, OpenIdProvider
from tools.local.runtime.function import Function

ROUNDS = 9
LIMITED_ROUNDS = 5
SHARE = 1024 / FULL_CORE_MB
"""The share of a core that a function of 1,024 MB gets."""

_PLAIN = "plain, no usable bytecode"
_PLAIN_BUILT = "plain, our layers"
_OURS_BARE = "ours, no usable bytecode"
_HANDLERS = (_PLAIN, _PLAIN_BUILT, _OURS_BARE, "ours")


_OWN_BYTECODE = "its own modules compiled at the start"
_TOKENS = "bearer tokens verified (auth=jwt), keys fetched"


@dataclass(frozen=True)
class ColdStart:
    """One cold start: milliseconds and megabytes."""

    init_cpu: float
    init_wall: float
    answer_cpu: float
    answer_wall: float
    export_cpu: float
    peak_mb: float


def measure() -> Part:
    """Start each variant in turn in a new process, on a read-only tree, and check that its trace arrives."""
    with contextlib.ExitStack() as stack:
        bedrock = stack.enter_context(FakeBedrock())
        langfuse = stack.enter_context(FakeLangfuse())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        samplers = {
            name: _sampler(deployed.function(code, bedrock, langfuse, tree=tree), langfuse)
            for name, (code, tree) in _variants(folder).items()
        }
        openid = stack.enter_context(OpenIdProvider())
        with_tokens = deployed.function(
            deployed.ours(), bedrock, langfuse, JWT_ISSUER=openid.issuer, JWT_AUDIENCE=CLIENT
        )
        samplers[_TOKENS] = _sampler(with_tokens, langfuse, openid.token)
        compared = {name: samplers[name] for name in _HANDLERS}
        handlers, failed = interleave("cold starts", compared, ROUNDS, required=("ours",))
        steps, failed_steps = cold_start_steps.compare(
            _answer_cpu(samplers["ours"]),
            {name: _answer_cpu(sample) for name, sample in samplers.items() if name not in _HANDLERS},
        )
        with_limit, absent = _limited({name: samplers[name] for name in handlers})
    return Part(
        title="Cold start",
        tables=[
            _table("Milliseconds to the first answer", handlers),
            *with_limit,
            cold_start_steps.table(steps),
        ],
        claims=_claims(handlers),
        charts=[
            Chart(
                "CPU to the first answer",
                "ms",
                {name: _median(samples, "answer_cpu") for name, samples in handlers.items()},
            )
        ],
        absent={**failed, **failed_steps, **absent},
    )


def _variants(folder: Path) -> dict[str, tuple[Path, Path]]:
    """Each variant's code and its tree of dependencies."""
    opt, bare = deployed.opt(), folder / "opt"
    shutil.copytree(opt, bare, ignore=shutil.ignore_patterns("__pycache__"))
    plain = deployed.copy(deployed.PEERS / "plain", folder / "plain")
    ours = deployed.copy(deployed.ours(), folder / "ours")
    without = {
        name: (deployed.copy(deployed.ours(), folder / f"without-{number}", **edits), opt)
        for number, (name, edits) in enumerate(STEPS.items())
    }
    return {
        _PLAIN: (plain, bare),
        _PLAIN_BUILT: (plain, opt),
        _OURS_BARE: (ours, bare),
        "ours": (ours, opt),
        **without,
        _OWN_BYTECODE: (_without_bytecode(deployed.copy(deployed.ours(), folder / "source")), opt),
    }


def _without_bytecode(code: Path) -> Path:
    for folder in list(code.rglob("__pycache__")):
        shutil.rmtree(folder)
    return code


def _sampler(
    function: Function, langfuse: FakeLangfuse, new_token: Callable[[], str] = str
) -> Callable[..., ColdStart]:
    def sample(cpus: float = 0) -> ColdStart:
        token = new_token()
        with limited(cpus) as join:
            return _sample(function, langfuse, join, token)

    return sample


def _answer_cpu(sample: Callable[..., ColdStart]) -> Callable[[], float]:
    return lambda: sample().answer_cpu


def _sample(function: Function, langfuse: FakeLangfuse, join: Callable[[], None], token: str) -> ColdStart:
    exports = len(langfuse.exports)
    began = time.perf_counter()
    with started(function, join) as environment:
        init_wall, init_cpu = time.perf_counter() - began, environment.cpu_s()
        answer_wall, answer_cpu = environment.ask(token)
        if len(langfuse.exports) == exports:
            raise RuntimeError("the trace did not arrive")
        return ColdStart(
            init_cpu=1000 * init_cpu,
            init_wall=1000 * init_wall,
            answer_cpu=1000 * answer_cpu,
            answer_wall=1000 * (init_wall + answer_wall),
            export_cpu=1000 * environment.cpu_s(),
            peak_mb=environment.peak_mb(),
        )


def _limited(samplers: Mapping[str, Callable[..., ColdStart]]) -> tuple[list[Table], dict[str, str]]:
    """The same with the CPU limited to the share of 1,024 MB, where control groups allow it."""
    if reason := unavailable():
        return [], {"CPU limited to 0.58 of a core": reason}
    variants = {name: functools.partial(sample, SHARE) for name, sample in samplers.items()}
    samples, failed = interleave("cold starts at 0.58 of a core", variants, LIMITED_ROUNDS)
    return [_table("The same with 0.58 of a core, as 1,024 MB get", samples)], failed


_COLUMNS = {
    "init_cpu": "init CPU",
    "init_wall": "init wall",
    "answer_cpu": "CPU to the answer",
    "answer_wall": "wall to the answer",
    "export_cpu": "CPU to the exported trace",
    "peak_mb": "peak MB",
}


def _table(title: str, found: Mapping[str, list[ColdStart]]) -> Table:
    rows: list[list[str | float | int]] = [
        [name, *(spread([getattr(sample, column) for sample in samples]) for column in _COLUMNS)]
        for name, samples in found.items()
    ]
    return Table(title, ["handler", *_COLUMNS.values()], rows)


def _median(samples: list[ColdStart], column: str) -> float:
    return float(statistics.median(getattr(sample, column) for sample in samples))


def _claims(found: Mapping[str, list[ColdStart]]) -> list[Claim]:
    what = "CPU to the first answer, ours against the plain handler without usable bytecode"
    imports = "CPU of importing strands and langfuse, our layers against the same without bytecode"
    wanted = [
        (imports, _PLAIN_BUILT, "init_cpu", 0.45),
        (what, "ours", "answer_cpu", 0.26),
        (f"{what}, the further goal", "ours", "answer_cpu", 0.19),
    ]
    init, answer = (_median(found["ours"], column) for column in ("init_cpu", "answer_cpu"))
    reason = (
        f"{init:.0f} of {answer:.0f} ms are init, which imports Strands, boto3 and what they need. No other "
        "group of modules was found that a first answer does not need."
    )
    return [
        at_most(
            claim,
            _median(found[name], column) / _median(found[_PLAIN], column),
            most,
            reason=reason if name == "ours" else "",
        )
        for claim, name, column, most in wanted
        if {name, _PLAIN} <= found.keys()
    ]
