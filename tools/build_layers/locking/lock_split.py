"""Splits the joint lock: a layer gets the closure of its own requirements, without the layers before it."""

import re
from collections.abc import Collection, Iterable, Mapping

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools import wheels

Dependencies = Mapping[str, Collection[str]]
"""What each resolved requirement needs: names, with extras in brackets as pip's resolver writes them."""


def closure(dependencies: Dependencies, requirements: Iterable[Requirement]) -> set[str]:
    """The names of the distributions that some requirements need, themselves included."""
    pending = [_key(requirement) for requirement in requirements]
    found: set[str] = set()
    while pending:
        if (key := pending.pop()) not in found:
            found.add(key)
            pending += dependencies.get(key, ())
    return {canonicalize_name(key.partition("[")[0]) for key in found}


def _key(requirement: Requirement) -> str:
    name = canonicalize_name(requirement.name)
    extras = ",".join(sorted(map(canonicalize_name, requirement.extras)))
    return f"{name}[{extras}]" if extras else name


def lock_of(joint: str, names: Collection[str], sources: Collection[str]) -> str:
    """The pins of some distributions; their comments name only these distributions and source files.

    Args:
        joint: the text of the joint lock.
        names: the distributions of the layer and of the layers before it.
        sources: the requirements files of these layers, as the joint lock names them.
    """
    known = {*names, *(f"-r {source}" for source in sources)}
    pins = wheels.read_lock(joint)
    return "".join(_with_comments_of(pins[name].text, known) for name in pins if name in names)


def _with_comments_of(pin: str, known: Collection[str]) -> str:
    lines = pin.splitlines()
    comments = [found[1] for line in lines if (found := re.fullmatch(r"\s+# (?:via )?\s*(.+)", line))]
    kept = [comment for comment in comments if comment in known]
    code = [line for line in lines if not line.lstrip().startswith("#")]
    via = [f"    # via {kept[0]}"] if len(kept) == 1 else ["    # via", *(f"    #   {name}" for name in kept)]
    return "\n".join([*code, *(via if kept else [])]) + "\n"
