"""Reads what the layers must contain: their requirements.in."""

from packaging.requirements import InvalidRequirement, Requirement

from layers import Layer
from tools.command import Failure

_BOUNDS = (">=", ">", "==", "~=")


def read(layer: Layer) -> list[Requirement]:
    """The requirements of a layer, each with a lower bound.

    Without one, a resolver that finds no solution takes releases from years ago instead of failing.

    Raises:
        Failure: an entry is not a requirement, or has no lower bound.
    """
    lines = (line.partition("#")[0].strip() for line in layer.requirements.read_text("utf-8").splitlines())
    return [_bounded(line, f"layers/{layer.name}/{layer.requirements.name}") for line in lines if line]


def _bounded(line: str, where: str) -> Requirement:
    try:
        requirement = Requirement(line)
    except InvalidRequirement as error:
        reason = str(error).splitlines()[0]
        raise Failure(f"{where}: {line!r} is not a requirement ({reason})") from None
    if not any(clause.operator in _BOUNDS for clause in requirement.specifier):
        raise Failure(f"{where}: {line!r} needs a lower bound, the oldest version to accept: `{line}>=…`")
    return requirement
