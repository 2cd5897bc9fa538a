"""Common recipes for layers, built from the same requirements as ours."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import uv

import layers
from layers import interpreter
from tools.bench.peers.environments import environment, version

ROOT = Path(__file__).parents[3]
_SAM_TEMPLATE = """\
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Resources:
"""
_SAM_LAYER = """\
  {name}:
    Type: AWS::Serverless::LayerVersion
    Properties: {{ContentUri: {name}, CompatibleRuntimes: [{runtime}]}}
    Metadata: {{BuildMethod: {runtime}, BuildArchitecture: {architecture}}}
"""


ADDED = "pandas added"
"""The step that adds a package with large compiled modules."""

_PANDAS = "pandas>=2.2"
_SERVICES = "bedrock-agent-runtime\nbedrock-runtime\ns3\nsecretsmanager\n"
"""The services that the function calls, as docs/layers.md lists them."""


LAYERS = tuple(layer.name for layer in layers.LAYERS)


@dataclass(frozen=True)
class Recipe:
    """One way to build layer zips: `build(work, cache)` writes `<layer>.zip` files to `work`.

    `work` contains `<layer>/requirements.txt`; `cache` is the folder for all downloads.
    """

    name: str
    source: str
    tool: tuple[str, str]
    """The peer's environment (the bench's own has an empty name) and the package that builds."""
    build: Callable[[Path, Path], None]
    layers: tuple[str, ...] = LAYERS
    more_steps: Mapping[str, Callable[[Path, Path], float]] = field(default_factory=dict)
    """Steps that only this recipe has: by name, a function that does the step and returns its seconds."""

    @property
    def title(self) -> str:
        """Its name and source, and the version of its tool."""
        return f"{self.name}: {self.source}, {self.tool[1]} {version(*self.tool)}"

    def prepare(self, work: Path) -> None:
        """Create the files that a user has before the first build."""

    def change(self, work: Path, old: str, new: str) -> None:
        """Require another version of one package."""
        for requirements in work.glob("*/requirements.txt"):
            requirements.write_text(requirements.read_text().replace(old, new))

    def clean(self, work: Path) -> None:
        """Remove the outputs and keep the caches."""
        for built in (".aws-sam", *(f"{name}.zip" for name in self.layers)):
            _remove(work / built)


class OurRecipe(Recipe):
    """A clone of this project; its locks follow the requirements."""

    _locked: ClassVar[dict[str, list[str]]] = {}
    """The texts of the locks by the requirement that was changed; resolving them is no part of a build."""

    def prepare(self, work: Path) -> None:
        """Copy this project."""
        for folder in ("tools", "packages", "layers"):
            shutil.copytree(
                ROOT / folder, work / folder, ignore=shutil.ignore_patterns("__pycache__", "build")
            )

    def change(self, work: Path, old: str, new: str) -> None:
        """Change the requirements and lock them, because users build from committed locks."""
        requirements = work / "layers" / "langfuse" / "requirements.in"
        requirements.write_text(requirements.read_text().replace(old, new))
        locks = [work / "layers" / name / "requirements.txt" for name in self.layers]
        if new not in self._locked:
            words = ["lock", "--upgrade", "langfuse"]
            _run([sys.executable, "-m", "tools.build_layers", *words], work, work / "lock")
            self._locked[new] = [lock.read_text() for lock in locks]
        for lock, text in zip(locks, self._locked[new], strict=True):
            lock.write_text(text)

    def clean(self, work: Path) -> None:
        """Remove the outputs and keep the caches."""
        for name in self.layers:
            _remove(work / "layers" / name / "build")


class SlimRecipe(OurRecipe):
    """The same, with botocore's data of only the services that the function calls."""

    def prepare(self, work: Path) -> None:
        """Copy this project and name the services."""
        super().prepare(work)
        (work / "layers" / "strands" / "botocore-services.txt").write_text(_SERVICES)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _run(command: list[str], directory: Path, cache: Path, **environ: str) -> None:
    path = f"{environment('pip')}{os.pathsep}{interpreter.target().parent}{os.pathsep}{os.environ['PATH']}"
    caches = {
        "PIP_CACHE_DIR": str(cache / "pip"),
        "UV_CACHE_DIR": str(cache / "uv"),
        "XDG_CACHE_HOME": str(cache),
    }
    environ = {**os.environ, "PATH": path, **caches, **environ}
    environ.pop("UV_CONSTRAINT", None)
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(command, cwd=directory, env=environ, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError((done.stderr or done.stdout).strip().splitlines()[-1])


def _zip(tree: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    subprocess.run(["zip", "-qr", str(target), "."], cwd=tree, check=True)


def _pip(names: tuple[str, ...]) -> Callable[[Path, Path], None]:
    def build(work: Path, cache: Path) -> None:
        for name in names:
            tree = work / "pip" / name
            shutil.rmtree(tree, ignore_errors=True)
            packages = ["-r", f"{name}/requirements.txt", "--target", str(tree / "python")]
            target = ["--platform", layers.PLATFORM, "--python-version", layers.PYTHON, "--only-binary=:all:"]
            _run(
                [str(environment("pip", "pip") / "python"), "-m", "pip", "install", "-q", *packages, *target],
                work,
                cache,
            )
            _zip(tree, work / f"{name}.zip")

    return build


def _uv(work: Path, cache: Path) -> None:
    for name in LAYERS:
        tree = work / "uv" / name
        shutil.rmtree(tree, ignore_errors=True)
        packages = ["-r", f"{name}/requirements.txt", "--target", str(tree / "python")]
        target = [
            "--python-platform",
            f"{layers.ARCHITECTURE}-manylinux2014",
            "--python-version",
            layers.PYTHON,
        ]
        options = ["--no-installer-metadata", "--no-compile-bytecode", "--only-binary", ":all:"]
        _run([uv.find_uv_bin(), "pip", "install", "-q", *options, *packages, *target], work, cache)
        _zip(tree, work / f"{name}.zip")


def _sam(work: Path, cache: Path) -> None:
    resources = [
        _SAM_LAYER.format(name=name, runtime=layers.RUNTIME, architecture=layers.ARCHITECTURE)
        for name in LAYERS
    ]
    (work / "template.yaml").write_text(_SAM_TEMPLATE + "".join(resources))
    program = str(environment("sam", "aws-sam-cli") / "sam")
    _run([program, "build", "--cached", "--parallel"], work, cache, SAM_CLI_TELEMETRY="0")
    for name in LAYERS:
        _zip(work / ".aws-sam" / "build" / name, work / f"{name}.zip")


def _ours(work: Path, cache: Path) -> None:
    _run([sys.executable, "-m", "tools.build_layers", "build", "--quiet"], work, cache)
    for name in LAYERS:
        shutil.copyfile(work / "layers" / name / "build" / "layer.zip", work / f"{name}.zip")


def _add_package(work: Path, cache: Path) -> float:
    """Lock and build with pandas, twice: the second time, everything was downloaded before."""
    for _ in range(2):
        _restore(work, cache)
        started = time.perf_counter()
        requirements = work / "layers" / "strands" / "requirements.in"
        requirements.write_text(f"{requirements.read_text()}{_PANDAS}\n")
        _run([sys.executable, "-m", "tools.build_layers", "lock"], work, cache)
        _ours(work, cache)
        seconds = time.perf_counter() - started
    _restore(work, cache)
    return seconds


def _restore(work: Path, cache: Path) -> None:
    """Build from the locks of this project again."""
    for name in LAYERS:
        for source in (ROOT / "layers" / name).glob("requirements.*"):
            shutil.copyfile(source, work / "layers" / name / source.name)
    _ours(work, cache)


RECIPES = (
    OurRecipe("ours", "hatch run build-layers", ("", "pip"), _ours, more_steps={ADDED: _add_package}),
    SlimRecipe("ours, slim", "the same with four of botocore's services", ("", "pip"), _ours),
    Recipe(
        "pip",
        "pip install --target --platform, zip (AWS's layer documentation)",
        ("pip", "pip"),
        _pip(LAYERS),
    ),
    Recipe("uv", "uv pip install --target, zip (uv's Lambda guide)", ("", "uv"), _uv),
    Recipe("sam", "sam build --cached --parallel, zip (no container)", ("sam", "aws-sam-cli"), _sam),
    Recipe(
        "strands' own",
        "the recipe of Strands' published layer, without Langfuse",
        ("pip", "pip"),
        _pip(("strands",)),
        ("strands",),
    ),
)
