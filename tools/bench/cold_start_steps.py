"""What each step towards a shorter cold start gains: ours against a copy of it without the step."""

import itertools
import statistics
from collections.abc import Callable, Mapping

from tools.bench.result import Table, spread
from tools.bench.sampling import interleave

ROUNDS = 13
_NOTE = """\
More: the differences to ours, started directly before or after it. Tried without enough gain: all code
objects of the layers in one file, loaded by a finder of our own (3 ms less, and the layer would no longer
contain its wheels' files); a flat import order; deferring other modules one by one."""

STEPS = {
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
    "dataclasses and regular expressions compiled when they are imported": {
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


def compare(
    ours: Callable[[], float], others: Mapping[str, Callable[[], float]]
) -> tuple[dict[str, list[tuple[float, float]]], dict[str, str]]:
    """Sample ours with each of the others, because their differences are smaller than the noise of a round.

    Returns:
        The samples of ours and of the other one, by the other's name, and the reasons of those that failed.
    """
    pairs = {name: _pair(ours, other) for name, other in others.items()}
    return interleave("cold starts without one step", pairs, ROUNDS)


def _pair(ours: Callable[[], float], other: Callable[[], float]) -> Callable[[], tuple[float, float]]:
    """Sample both directly after each other, each first in turn."""
    other_first = itertools.cycle((False, True))

    def sample() -> tuple[float, float]:
        if next(other_first):
            second = other()
            return ours(), second
        return ours(), other()

    return sample


def table(steps: Mapping[str, list[tuple[float, float]]]) -> Table:
    """A row for each variant, in milliseconds."""
    rows: list[list[str | float | int]] = [
        [
            name,
            statistics.median(other for _, other in pairs),
            spread([other - ours for ours, other in pairs]),
        ]
        for name, pairs in steps.items()
    ]
    columns = ["ours, but with", "to the answer", "more"]
    return Table("What each step gains, in CPU milliseconds", columns, rows, _NOTE)
