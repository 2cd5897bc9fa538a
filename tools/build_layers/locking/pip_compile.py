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
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import click
from pip._internal.commands.install import InstallCommand
from pip._internal.exceptions import PipError
from pip._internal.models.target_python import TargetPython
from piptools.exceptions import PipToolsError
from piptools.scripts.compile import cli

from tools import wheels
from tools.build_layers.target import ABI, MARKERS, PLATFORMS, VERSION
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


def compile_lock(requirements: Sequence[Path], present: str, upgrade_packages: Sequence[str] = ()) -> str:
    """The requirements' lock for the target, as text; pins of the present lock are kept if possible.

    Raises:
        Failure: there is no solution, or the index cannot be reached.
    """
    with (
        tempfile.TemporaryDirectory() as scratch,
        _errors_explained() as output_text,
        contextlib.redirect_stderr(output_text),
    ):
        output = Path(scratch, "requirements.txt")
        output.write_text(present, "utf-8", newline="\n")
        upgrades = [f"--upgrade-package={package}" for package in upgrade_packages]
        sources = [os.path.relpath(path) for path in requirements]
        with _pip_resolves_for_target():
            cli.main([*_OPTIONS, *upgrades, f"--output-file={output}", *sources], standalone_mode=False)
        return output.read_text("utf-8")


@contextlib.contextmanager
def _pip_resolves_for_target() -> Iterator[None]:
    """Make this process's pip resolve for the target, from its one index and no other source.

    Wheel directories and extra indexes of this machine are not used: other machines do not have them.
    """
    build_finder = InstallCommand._build_package_finder  # noqa: SLF001 - there is no public way
    make_resolver = functools.partial(InstallCommand.make_resolver, py_version_info=VERSION)
    python = TargetPython(list(PLATFORMS), VERSION, [ABI], "cp")

    def target_finder(self: InstallCommand, options: Any, session: Any) -> Any:
        options.find_links, options.extra_index_urls = [], []
        return build_finder(self, options, session, target_python=python)

    with (
        mock.patch("pip._vendor.packaging.markers.default_environment", MARKERS.copy),
        mock.patch.object(InstallCommand, "_build_package_finder", target_finder),
        mock.patch.object(InstallCommand, "make_resolver", staticmethod(make_resolver)),
        mock.patch.dict(os.environ, {"PIP_RETRIES": "2", **os.environ}),
    ):
        yield


@contextlib.contextmanager
def _errors_explained() -> Iterator[io.StringIO]:
    """Turn every failure of pip-compile into one line; yields the stream for its output."""
    output = io.StringIO()
    handler = logging.StreamHandler(output)
    logging.getLogger("pip").addHandler(handler)
    try:
        yield output
    except (click.ClickException, PipError, PipToolsError, SystemExit) as error:
        text = f"{output.getvalue()}\n{error}"
        unsolved = f"the requirements cannot be resolved for the target: {wheels.last_line(text)}"
        raise Failure(wheels.explain(text) or unsolved) from error
    finally:
        logging.getLogger("pip").removeHandler(handler)
