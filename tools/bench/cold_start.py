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

from tools.bench import deployed
from tools.bench.cpu_limit import FULL_CORE_MB, limited, unavailable
from tools.bench.measured_environment import started
from tools.bench.result import Chart, Claim, Part, Table, at_most, spread
from tools.bench.sampling import interleave
from tools.local.fakes.bedrock_server import FakeBedrock
from tools.local.fakes.langfuse_server import FakeLangfuse
from tools.local.fakes.openid_provider import CLIENT, OpenIdProvider
from tools.local.runtime.function import Function

ROUNDS = 13
LIMITED_ROUNDS = 5
SHARE = 1024 / FULL_CORE_MB
"""The share of a core that a function of 1,024 MB gets."""

_TRIED = """\
Tried without enough gain: all code objects of the layers in one file, loaded by a finder of our own (3 ms
less, and the layer would no longer contain its wheels' files); a flat import order; deferring other modules
one by one."""
_PLAIN = "plain, no usable bytecode"
_PLAIN_BUILT = "plain, our layers"
_OURS_BARE = "ours, no usable bytecode"
_HANDLERS = (_PLAIN, _PLAIN_BUILT, _OURS_BARE, "ours")


_OWN_BYTECODE = "its own modules compiled at the start"
_TOKENS = "bearer tokens verified (auth=jwt), keys fetched"
_STEPS = {
    "Strands' packages loaded whole": {
        "startup": (
            'lazy_packages.install("strands", first="strands.agent", find=find)',
            "",
        )
    },
    "Python's own finder of files": {
        "startup": ("bytecode_finder.install().find", "bytecode_finder.PathFinder.find_spec")
    },
    "names imported before they are used": {"startup": ("deferred_modules.install(find)", "")},
    "what libraries compile at import, compiled": {
        "startup": ("compile_as_always = precompiled.start()", "compile_as_always = int")
    },
    "Pydantic's search for plugins": {
        "startup": ('os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")', "")
    },
    "the standard library's JSON parser for botocore's data": {
        "boto3_session": ("from_json(file.read())", '__import__("json").load(file)')
    },
    "garbage collected in init": {"startup": ("gc.disable()", "gc.enable()")},
    "botocore's own loader": {
        "boto3_session": ('if not core.get_config_variable("data_path")', "if not core")
    },
    "Langfuse's SDK in init": {"lambda_handler": ("# isort: split\n", "import langfuse\n")},
}
"""What our handler does to start faster, and the edit that leaves it out: (old text, new text) by module."""


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
        found, failed = interleave("cold starts", samplers, ROUNDS, required=("ours",))
        handlers = {name: samples for name, samples in found.items() if name in _HANDLERS}
        with_limit, absent = _limited({name: samplers[name] for name in handlers})
    return Part(
        title="Cold start",
        tables=[
            _table("Milliseconds to the first answer", handlers),
            *with_limit,
            _steps(found),
        ],
        claims=_claims(found),
        charts=[
            Chart(
                "CPU to the first answer",
                "ms",
                {name: _median(samples, "answer_cpu") for name, samples in handlers.items()},
            )
        ],
        absent={**failed, **absent},
    )


def _variants(folder: Path) -> dict[str, tuple[Path, Path]]:
    """Each variant's code and its tree of dependencies."""
    opt, bare = deployed.opt(), folder / "opt"
    shutil.copytree(opt, bare, ignore=shutil.ignore_patterns("__pycache__"))
    plain = deployed.copy(deployed.PEERS / "plain", folder / "plain")
    ours = deployed.copy(deployed.ours(), folder / "ours")
    without = {
        name: (deployed.copy(deployed.ours(), folder / f"without-{number}", **edits), opt)
        for number, (name, edits) in enumerate(_STEPS.items())
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


def _steps(found: Mapping[str, list[ColdStart]]) -> Table:
    ours = _median(found["ours"], "answer_cpu")
    rows: list[list[str | float | int]] = [
        [name, _median(found[name], "answer_cpu"), _median(found[name], "answer_cpu") - ours]
        for name in (_OURS_BARE, *_STEPS, _OWN_BYTECODE, _TOKENS)
        if name in found
    ]
    columns = ["ours, but with", "to the answer", "more"]
    return Table("What each step gains, in CPU milliseconds", columns, rows, _TRIED)


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
