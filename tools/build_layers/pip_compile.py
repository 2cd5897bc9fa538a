"""pip-compile, made to resolve for the target.

It judges markers, wheel tags and Requires-Python by the interpreter that runs it, whatever `--platform` says
(https://github.com/pypa/pip/issues/11664), so a lock taken on another system would be another lock.
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
    """The requirements' lock for the target, as text; pins of the present one are kept if they can be.

    Raises:
        Failure: there is none, or the index cannot be reached.
    """
    with tempfile.TemporaryDirectory() as scratch, _explained() as said, contextlib.redirect_stderr(said):
        output = Path(scratch, "requirements.txt")
        output.write_text(present, "utf-8", newline="\n")
        upgrades = [f"--upgrade-package={package}" for package in upgrade_packages]
        sources = [os.path.relpath(path) for path in requirements]
        with _pip_for_target():
            cli.main([*_OPTIONS, *upgrades, f"--output-file={output}", *sources], standalone_mode=False)
        return output.read_text("utf-8")


@contextlib.contextmanager
def _pip_for_target() -> Iterator[None]:
    """Have this process's pip resolve for the target, from its one index and no other source.

    Wheel directories and extra indexes of the machine are left out: others have not what these hold.
    """
    build_finder = InstallCommand._build_package_finder  # noqa: SLF001 - nothing public says it
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
def _explained() -> Iterator[io.StringIO]:
    """Turn whatever pip-compile fails with into one line; yields where it may say what it has to."""
    said = io.StringIO()
    handler = logging.StreamHandler(said)
    logging.getLogger("pip").addHandler(handler)
    try:
        yield said
    except (click.ClickException, PipError, PipToolsError, SystemExit) as error:
        text = f"{said.getvalue()}\n{error}"
        unsolved = f"the requirements cannot be resolved for the target: {wheels.last_line(text)}"
        raise Failure(wheels.explain(text) or unsolved) from error
    finally:
        logging.getLogger("pip").removeHandler(handler)
