"""Build times and zips of both layers by recipe: cold, warm, nothing changed, and one package changed."""

import hashlib
import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import layers
from layers.target import EXTENSION
from tools.bench.peers.layer_recipes import ADDED, RECIPES, ROOT, Recipe
from tools.bench.result import Chart, Claim, Part, Table, at_most, figure, spread
from tools.bench.sampling import interleave

ROUNDS = 2
_PIP_COLD_S = 16.6
"""The seconds of pip's cold build on the machine for which the goals in seconds were set."""

_UNCHECKED_HASH = 1
_OTHER_VERSION = ("langfuse>=5.0.4", "langfuse==5.0.3")
_NOTE = """\
Cold: all caches are empty. Ours includes the checks of `check-layers` in that time; the others check
nothing. Pandas added: locking, building and checking with it; everything was downloaded before."""
_STEPS = ("cold", "nothing changed", "one package changed", "warm", ADDED)


@dataclass(frozen=True)
class RecipeBuild:
    """One recipe's build, in seconds and bytes."""

    seconds: dict[str, float]
    cold_cpu: float
    zipped: int
    unzipped: int
    largest: int
    bytecode: float
    reproducible: bool
    checked: str


def measure() -> Part:
    """Build with every recipe in turn, each time in an empty folder with an empty cache."""
    built, failed = interleave(
        "layers",
        {recipe.name: _sampler(recipe) for recipe in RECIPES},
        ROUNDS,
        required=("ours", "ours, slim"),
    )
    return Part(
        title="Building the layers",
        tables=[_times(built), _artefacts(built)],
        claims=_claims(built),
        charts=[Chart("Both layers, cold", "seconds", {n: _median(s, "cold") for n, s in built.items()})],
        absent=failed,
    )


def _sampler(recipe: Recipe) -> Callable[[], RecipeBuild]:
    checked = ""  # once: each round builds from the same requirements, and some outputs take minutes

    def sample() -> RecipeBuild:
        nonlocal checked
        with tempfile.TemporaryDirectory() as folder:
            built = _sample(recipe, Path(folder) / "work", Path(folder) / "cache", checked)
            checked = built.checked
            return built

    return sample


def _sample(recipe: Recipe, work: Path, cache: Path, checked: str = "") -> RecipeBuild:
    for layer in layers.LAYERS:
        (work / layer.name).mkdir(parents=True)
        shutil.copyfile(layer.requirements, work / layer.name / "requirements.txt")
    recipe.prepare(work)
    zips = [work / f"{name}.zip" for name in recipe.layers]
    spent = _cpu()
    seconds = {"cold": _timed(recipe, work, cache)}
    cold_cpu = _cpu() - spent
    first = _digest(zips)
    seconds["nothing changed"] = _timed(recipe, work, cache)
    recipe.change(work, *_OTHER_VERSION)
    seconds["one package changed"] = _timed(recipe, work, cache)
    recipe.change(work, *reversed(_OTHER_VERSION))
    recipe.clean(work)
    seconds["warm"] = _timed(recipe, work, cache)
    digest = _digest(zips)
    seconds |= {name: step(work, cache) for name, step in recipe.more_steps.items()}
    return RecipeBuild(
        seconds=seconds,
        cold_cpu=cold_cpu,
        zipped=sum(path.stat().st_size for path in zips),
        unzipped=sum(entry.file_size for path in zips for entry in zipfile.ZipFile(path).infolist()),
        largest=max(path.stat().st_size for path in zips),
        bytecode=_bytecode(zips),
        reproducible=digest == first,
        checked=checked or _checked(zips),
    )


def _timed(recipe: Recipe, work: Path, cache: Path) -> float:
    started = time.perf_counter()
    recipe.build(work, cache)
    return time.perf_counter() - started


def _cpu() -> float:
    """CPU seconds of the child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _digest(zips: list[Path]) -> list[str]:
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in zips]


def _bytecode(zips: list[Path]) -> float:
    """The share of modules whose bytecode for the target is used regardless of the modification time."""
    modules = usable = 0
    for path in zips:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
            for name in (name for name in names if name.endswith(".py")):
                folder, _, module = name.rpartition("/")
                compiled = f"{folder}/__pycache__/{module[:-3]}.{EXTENSION}.pyc"
                modules += 1
                usable += compiled in names and _is_unchecked(archive.read(compiled))
    return usable / modules


def _is_unchecked(compiled: bytes) -> bool:
    return int.from_bytes(compiled[4:8], "little") == _UNCHECKED_HASH


def _checked(zips: list[Path]) -> str:
    command = [sys.executable, "-m", "tools.build_layers", "check", "--json", *map(str, zips)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    violations = json.loads(ran.stdout)["breaches"]
    checks = sorted({violation["gate"] for violation in violations})
    return f"{len(violations)} violations: {', '.join(checks)}" if violations else "passes"


def _median(samples: list[RecipeBuild], step: str) -> float:
    return statistics.median(sample.seconds[step] for sample in samples)


def _spread(samples: list[RecipeBuild], step: str) -> str:
    seconds = [sample.seconds[step] for sample in samples if step in sample.seconds]
    return spread(seconds) if seconds else "-"


def _times(built: dict[str, list[RecipeBuild]]) -> Table:
    rows: list[list[str | float | int]] = [
        [
            name,
            *(_spread(samples, step) for step in _STEPS),
            spread([sample.cold_cpu for sample in samples]),
        ]
        for name, samples in built.items()
    ]
    recipes = "; ".join(recipe.title for recipe in RECIPES if recipe.name in built)
    return Table("Time, in seconds", ["recipe", *_STEPS, "CPU, cold"], rows, f"{_NOTE} {recipes}.")


def _artefacts(built: dict[str, list[RecipeBuild]]) -> Table:
    rows: list[list[str | float | int]] = [
        [
            name,
            f"{samples[-1].zipped / 1e6:.1f}",
            f"{samples[-1].unzipped / 1e6:.1f}",
            f"{samples[-1].bytecode:.0%}",
            "yes" if all(sample.reproducible for sample in samples) else "no",
            samples[-1].checked,
        ]
        for name, samples in built.items()
    ]
    return Table(
        "The zips",
        ["recipe", "MB zipped", "MB unzipped", "usable bytecode", "same bytes again", "check-layers"],
        rows,
        "Usable bytecode: the share of modules with bytecode for the function's Python that is used "
        "regardless of the file's modification time. Other bytecode is stale when a file gets a new time.",
    )


def _claims(built: dict[str, list[RecipeBuild]]) -> list[Claim]:
    ours, slim = built["ours"], built["ours, slim"]
    reason = (
        f"the goal was set on a machine where pip's cold build took {_PIP_COLD_S} s; here it takes "
        f"{figure(_median(built['pip'], 'cold'))} s."
        if "pip" in built
        else ""
    )
    claims = [
        at_most(
            f"cold build against {peer}'s{goal}", _median(ours, "cold") / _median(built[peer], "cold"), wanted
        )
        for peer in ("pip", "sam")
        for goal, wanted in (("", 0.7), (", the further goal", 0.5))
        if peer in built
    ]
    return [
        *claims,
        at_most("nothing changed", _median(ours, "nothing changed"), 0.5, " s", reason=reason),
        at_most("one package changed", _median(ours, "one package changed"), 2.5, " s", reason=reason),
        at_most(ADDED, _median(ours, ADDED), 8, " s", reason=reason),
        at_most("each zip", max(sample.largest for sample in ours) / 1e6, 50, " MB"),
        at_most("both zips", ours[-1].zipped / 1e6, 50, " MB"),
        at_most("both unzipped", ours[-1].unzipped / 1e6, 115, " MB"),
        at_most("both zips, slim", slim[-1].zipped / 1e6, 35, " MB"),
        at_most("both unzipped, slim", slim[-1].unzipped / 1e6, 98, " MB"),
    ]
