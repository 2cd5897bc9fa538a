"""Runs pip-compile so that it resolves for the target.

pip-compile evaluates markers, wheel tags and Requires-Python for the interpreter that runs it, even with
`--platform` (https://github.com/pypa/pip/issues/11664), so other systems would give other locks.
"""

import contextlib
import functools
import io
import logging
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import click
from packaging.utils import canonicalize_name
from pip._internal.commands.install import InstallCommand
from pip._internal.exceptions import PipError
from pip._internal.index.collector import LinkCollector
from pip._internal.models.link import Link
from piptools.exceptions import PipToolsError
from piptools.repositories import LocalRequirementsRepository, PyPIRepository
from piptools.resolver import BacktrackingResolver
from piptools.scripts.compile import cli

import layers
from layers import target
from tools import wheels
from tools.build_layers.locking import index_contents
from tools.build_layers.locking.lock_split import Dependencies
from tools.command import Failure
from tools.wheels.pip_errors import NO_MATCH, no_wheel
from tools.wheels.pip_for_target import pip_for_target

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


class UnsolvedError(Failure):
    """The requirements have no solution; the message says why, and what to do."""


@dataclass(frozen=True)
class Resolution:
    """A lock's text, which new pins need a newer glibc than manylinux2014, and what each pin needs."""

    text: str
    newer: Mapping[str, tuple[int, int]]
    dependencies: Dependencies


def compile_lock(
    requirements: Sequence[Path],
    present: str,
    upgrade_packages: Sequence[str] = (),
    *,
    newer: bool = True,
    pinned: Mapping[str, wheels.Pin] | None = None,
) -> Resolution:
    """The requirements' lock for the target; pins of the present lock are kept if possible.

    Args:
        requirements: the requirements.in files, each two folders below the folder that the lock names them
            relative to.
        present: the text of the present lock.
        upgrade_packages: requirements whose pins are not kept.
        newer: whether wheels for platforms newer than manylinux2014 are allowed.
        pinned: pins that the lock must keep. The index is only read for those whose wheel is not cached.

    Raises:
        UnsolvedError: there is no solution.
        Failure: the index cannot be reached.
    """
    finders: list[Any] = []
    results: list[Any] = []
    failures: list[str] = []
    pinned = pinned or {}
    versions = {name: frozenset({pin.version}) for name, pin in pinned.items()}
    cached = wheels.cached_wheels(pinned.values())
    base = requirements[0].parents[2]
    with tempfile.TemporaryDirectory() as scratch, _errors_explained(finders, failures) as output:
        lock = Path(scratch, "requirements.txt")
        kept = wheels.read_lock(present)
        lock.write_text(
            "".join(f"{pin.name}=={pin.version}\n" for pin in kept.values()), "utf-8", newline="\n"
        )
        upgrades = [f"--upgrade-package={package}" for package in upgrade_packages]
        # The lock's comments name the sources relative to the working directory.
        sources = [os.path.relpath(path, base) for path in requirements]
        arguments = [*_OPTIONS, *upgrades, f"--output-file={lock}", *sources]
        with (
            contextlib.chdir(base),
            contextlib.redirect_stderr(output),
            pip_for_target(layers.ARCHITECTURE, newer=newer, pinned=versions, failures=failures),
            _resolver_for_target(cached, versions, finders, results),
            _hashes_of(kept),
        ):
            cli.main(arguments, standalone_mode=False)
            text = "".join(pin.text for pin in wheels.read_lock(lock.read_text("utf-8")).values())
            return Resolution(text, _newer(results[-1], text, present), results[-1].dependencies)


@dataclass(frozen=True)
class _Result:
    """What the resolver found: each name's dependencies, and the index's wheels for the target."""

    dependencies: Dependencies
    wheels: Mapping[str, Sequence[Any]]


def _result(result: Any, finder: Any) -> _Result:
    graph = result.graph
    edges = {name: list(graph.iter_children(name)) for name in graph if name is not None}
    cached = finder._all_candidates  # noqa: SLF001 - pip-compile clears it when it reads the hashes
    found: dict[str, Sequence[Any]] = {canonicalize_name(name): files for name, files in cached.items()}
    return _Result(edges, found)


def _newer(result: _Result, text: str, present: str) -> dict[str, tuple[int, int]]:
    before = {pin.name: pin.version for pin in wheels.read_lock(present).values()}
    needed = {
        pin.name: index_contents.needed_glibc(result.wheels[pin.name], pin.version)
        for pin in wheels.read_lock(text).values()
        if before.get(pin.name) != pin.version
    }
    return {name: glibc for name, glibc in needed.items() if glibc and glibc > layers.SHIPPED_GLIBC}


@contextlib.contextmanager
def _resolver_for_target(
    cached: Mapping[str, Path],
    versions: dict[str, frozenset[str]],
    finders: list[Any],
    results: list[_Result],
) -> Iterator[None]:
    """Make this process's pip resolve for the target, from its one index and no other source.

    Distributions with a cached wheel are taken from there. The package finders that pip makes and what the
    resolver found are added to the lists, and the resolved versions to `versions`: of these, pip-compile
    then reads the hashes of all platforms.

    Wheel directories and extra indexes of this machine are not used: other machines do not have them.
    """
    build_finder = InstallCommand._build_package_finder  # noqa: SLF001 - there is no public way
    get_requirements = BacktrackingResolver._get_install_requirements  # noqa: SLF001
    make_resolver = functools.partial(InstallCommand.make_resolver, py_version_info=target.VERSION)

    def target_finder(self: InstallCommand, options: Any, session: Any, **given: Any) -> Any:
        options.find_links, options.extra_index_urls = [], []
        given["target_python"] = index_contents.target_python()
        finder: Any = build_finder(self, options, session, **given)
        for name, wheel in cached.items():
            finder.add_locked_link(name, Link(wheel.as_uri()))
        finders.append(finder)
        return finder

    def requirements_of(self: BacktrackingResolver, resolver_result: Any) -> Any:
        results.append(_result(resolver_result, self.repository.finder))
        for name, candidate in resolver_result.mapping.items():
            if link := candidate.source_link:  # there is none of the requirement of a Python
                versions[canonicalize_name(name.partition("[")[0])] = frozenset({link.filename.split("-")[1]})
        return get_requirements(self, resolver_result)

    with (
        mock.patch("pip._vendor.packaging.markers.default_environment", target.markers),
        mock.patch.object(InstallCommand, "_build_package_finder", target_finder),
        mock.patch.object(InstallCommand, "make_resolver", staticmethod(make_resolver)),
        mock.patch.object(BacktrackingResolver, "_get_install_requirements", requirements_of),
        mock.patch.object(PyPIRepository, "_get_hashes_from_pypi", index_contents.hashes),
        mock.patch.object(LinkCollector, "fetch_response", index_contents.read_once()),
        mock.patch.dict(os.environ, {"PIP_RETRIES": "2", "PIP_NO_INPUT": "1", **os.environ}),
    ):
        yield


@contextlib.contextmanager
def _hashes_of(kept: Mapping[str, wheels.Pin]) -> Iterator[None]:
    """Make pip-compile take the hashes of the pins that it keeps from here.

    Otherwise it parses the thousand hashes of a lock as a shell would, which is slow.
    """

    def hashes(self: LocalRequirementsRepository, requirement: Any) -> set[str]:
        pin = kept.get(canonicalize_name(requirement.name))
        if pin and pin.name in self.existing_pins and str(requirement.specifier) == f"=={pin.version}":
            return {f"sha256:{digest}" for digest in pin.hashes}
        return set(self.repository.get_hashes(requirement))

    with mock.patch.object(LocalRequirementsRepository, "get_hashes", hashes):
        yield


@contextlib.contextmanager
def _errors_explained(finders: list[Any], failures: list[str]) -> Iterator[io.StringIO]:
    """Turn every failure of pip-compile into one line; yields the stream for its output."""
    output = io.StringIO()
    handler = logging.StreamHandler(output)
    logging.getLogger("pip").addHandler(handler)
    root_level = logging.getLogger().level
    try:
        yield output
    except (click.ClickException, PipError, PipToolsError, SystemExit) as error:
        text = "\n".join([output.getvalue(), *failures, str(error)])
        if conflict := _conflict(error):
            raise UnsolvedError(conflict) from error
        known = wheels.explain(text)
        none = NO_MATCH.search(text)
        if known == no_wheel(none[1], "") if none else False:
            reason = index_contents.reason(finders[-1], none[1]) if finders and none else ""
            raise UnsolvedError(no_wheel(none[1] if none else "", reason)) from error
        unsolved = f"the requirements cannot be resolved for the target: {wheels.last_line(text)}"
        raise (Failure(known) if known else UnsolvedError(unsolved)) from error
    finally:
        logging.getLogger("pip").removeHandler(handler)
        logging.getLogger().setLevel(root_level)  # pip sets it for the whole process


def _conflict(error: BaseException) -> str | None:
    """Both sides of a conflict between requirements; None if there is none."""
    causes = getattr(error.__cause__, "causes", ())
    sides = sorted(
        {
            f"{cause.parent.name} {cause.parent.version} needs {cause.requirement}"
            if cause.parent
            else f"requirements.in has {cause.requirement}"
            for cause in causes
        }
    )
    if len(sides) < 2:
        return None
    return (
        f"the requirements cannot be resolved for the target: {', but '.join(sides)}: change one of them in "
        "requirements.in"
    )
