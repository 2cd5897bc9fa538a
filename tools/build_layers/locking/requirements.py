"""Reads what the layers must contain: their requirements.in."""

import re

from packaging.requirements import InvalidRequirement, Requirement
from packaging.version import InvalidVersion, Version

from layers import Layer, target
from tools.command import Failure

_BOUNDS = (">=", ">", "==", "~=")


def read(layer: Layer) -> list[Requirement]:
    """The requirements of a layer that apply to the target, each with a lower bound.

    Without one, a resolver that finds no solution takes releases from years ago instead of failing.

    Raises:
        Failure: an entry is not a requirement, or has no lower bound.
    """
    where = f"layers/{layer.name}/{layer.requirements.name}"
    lines = layer.requirements.read_text("utf-8").splitlines()
    entries = filter(None, (re.sub(r"(^|\s)#.*", "", line).strip() for line in lines))
    found = [_bounded(entry, where) for entry in entries]
    markers = target.markers(layer.architecture)
    return [entry for entry in found if not entry.marker or entry.marker.evaluate({**markers, "extra": ""})]


def _bounded(line: str, where: str) -> Requirement:
    try:
        requirement = Requirement(line)
    except InvalidRequirement as error:
        reason = str(error).splitlines()[0]
        raise Failure(f"{where}: {line!r} is not a requirement ({reason}): write one like `x>=1.0`") from None
    if requirement.url:
        raise Failure(
            f"{where}: {line!r} is a direct address, and a lock only holds packages of the index: publish "
            f"the wheel on an index, and write `{_with_bound(requirement)}`"
        )
    if not any(clause.operator in _BOUNDS for clause in requirement.specifier):
        raise Failure(
            f"{where}: {line!r} needs a lower bound: write the oldest version that you accept, for example "
            f"`{_with_bound(requirement)}`"
        )
    return requirement


def _with_bound(requirement: Requirement) -> str:
    """The same requirement with a lower bound, as an example that is valid."""
    exact = [clause.version for clause in requirement.specifier if clause.operator == "==="]
    kept = sorted(str(clause) for clause in requirement.specifier if clause.operator != "===")
    upper = [clause.version for clause in requirement.specifier if clause.operator in ("<", "<=")]
    bound = f"=={exact[0]}" if exact and _version(exact[0]) else f">={_example(upper)}"
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    marker = f"; {requirement.marker}" if requirement.marker else ""
    return f"{requirement.name}{extras}{','.join([bound, *kept])}{marker}"


def _example(upper: list[str]) -> str:
    """A version below every upper bound."""
    return "1.0" if all((_version(bound) or Version("2")) > Version("1.0") for bound in upper) else "0"


def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None
