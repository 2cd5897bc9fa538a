"""Resolve every layer's requirements together, and split the answer between the layers."""

import contextlib
import io
import logging
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from layers import Layer
from tools import wheels
from tools.build_layers.target import pip_for_target
from tools.command import Failure

_OPTIONS = (
    "--resolver=backtracking",
    "--allow-unsafe",
    "--generate-hashes",
    "--strip-extras",
    "--no-header",
    "--no-emit-options",
    "--no-config",
    "--newline=lf",
    "--quiet",
    "--pip-args=--only-binary=:all:",
)


def requirements(layer: Layer) -> list[Requirement]:
    """What a layer asks for.

    Raises:
        Failure: an entry is no requirement or has no lower bound. Without one, a resolver that finds no way
            forward goes back to releases from years ago rather than fail.
    """
    lines = (line.partition("#")[0].strip() for line in layer.requirements.read_text("utf-8").splitlines())
    return [_bounded(line, layer) for line in lines if line]


def _bounded(line: str, layer: Layer) -> Requirement:
    where = f"layers/{layer.name}/{layer.requirements.name}"
    try:
        requirement = Requirement(line)
    except InvalidRequirement as error:
        raise Failure(f"{where}: {line!r} is not a requirement ({str(error).splitlines()[0]})") from None
    if not any(clause.operator in (">=", ">", "==", "~=") for clause in requirement.specifier):
        raise Failure(f"{where}: {line!r} needs a lower bound: write `{line}>=` and the oldest version to accept")
    return requirement


def lock(layers: Sequence[Layer], *, upgrade: bool = False, upgrade_packages: Sequence[str] = ()) -> list[str]:
    """Resolve the layers' requirements jointly for the target and give each layer's lock, as text.

    Pins that stand in the present locks are kept while they satisfy the requirements, unless upgraded. Each
    layer but the last takes the closure of its own requirements within the joint answer, less what the layers
    before it have; the last takes the rest.

    Raises:
        Failure: the requirements cannot be satisfied, or the index cannot be reached.
    """
    for layer in layers:
        requirements(layer)
    present = "" if upgrade else "".join(_read(layer.lock) for layer in layers)
    joint = _compile(layers, present, upgrade_packages)
    texts, taken = [], set[str]()
    for count, layer in enumerate(layers[:-1], 1):
        texts.append(_without(_compile(layers[:count], joint), taken))
        taken |= wheels.pins(texts[-1]).keys()
        _agree(texts[-1], joint, layer)
    return [*texts, _without(joint, taken)]


def _agree(part: str, joint: str, layer: Layer) -> None:
    whole = wheels.pins(joint)
    if any(whole[name].version != pin.version for name, pin in wheels.pins(part).items()):
        raise Failure(f"the closure of layers/{layer.name} is not part of the joint resolution: please report it")


def _without(lock: str, names: set[str]) -> str:
    return "".join(pin.text for name, pin in wheels.pins(lock).items() if name not in names)


def _read(lock: Path) -> str:
    return lock.read_text("utf-8") if lock.exists() else ""


def _compile(layers: Sequence[Layer], present: str, upgrade_packages: Sequence[str] = ()) -> str:
    """Run pip-compile, in this process, for the target."""
    from piptools.scripts.compile import cli

    with tempfile.TemporaryDirectory() as scratch, _failures() as said:
        output = Path(scratch, "requirements.txt")
        output.write_text(present, "utf-8", newline="\n")
        sources = [os.path.relpath(layer.requirements) for layer in layers]
        upgrades = [f"--upgrade-package={package}" for package in upgrade_packages]
        with pip_for_target(), contextlib.redirect_stderr(said):
            cli.main([*_OPTIONS, *upgrades, f"--output-file={output}", *sources], standalone_mode=False)
        return output.read_text("utf-8")


@contextlib.contextmanager
def _failures() -> Iterator[io.StringIO]:
    """Turn whatever pip-compile fails with into one line; yields where it may write what it has to say."""
    import click
    from pip._internal.exceptions import PipError
    from piptools.exceptions import PipToolsError

    said = io.StringIO()
    handler = logging.StreamHandler(said)
    logging.getLogger("pip").addHandler(handler)
    try:
        yield said
    except (click.ClickException, PipError, PipToolsError, SystemExit) as error:
        text = said.getvalue() + str(error)
        raise Failure(_explain(text)) from error
    finally:
        logging.getLogger("pip").removeHandler(handler)


def _explain(text: str) -> str:
    if offline := wheels.unreachable(text):
        return offline
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return f"the requirements cannot be resolved for the target: {lines[-1] if lines else 'pip gave no reason'}"
