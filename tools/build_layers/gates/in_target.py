"""Gates that only the target interpreter can judge."""

import contextlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tools import interpreter, wheels
from tools.build_layers import opt
from tools.build_layers.gates import judge_bytecode, judge_imports
from tools.build_layers.gates.candidate import Candidate
from tools.build_layers.gates.tree import Tree
from tools.command import Failure

_REPOSITORY = Path(__file__).parents[3]
_START = (
    "import importlib, sys; sys.path.append(sys.argv[1]); judge = importlib.import_module(sys.argv[2]); "
    "sys.path.pop(); judge.main(*sys.argv[3:])"
)
_MODULES = (
    "strands",
    "strands.models.bedrock",
    "langfuse",
    "opentelemetry.exporter.otlp.proto.http.trace_exporter",
)
_ENTRY = "lambda_handler"


def bytecode(candidate: Candidate) -> Iterator[str]:
    """Every module has unchecked-hash bytecode, by the target, of its source, for its place on Lambda."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from (line for lines in pool.map(_judged, candidate.trees) for line in lines)


def _judged(tree: Tree) -> list[str]:
    lines = _run(judge_bytecode.__name__, str(tree.path), environment=os.environ).splitlines()
    return [f"{tree.name}: {path} {fault}" for path, fault in map(json.loads, lines)]


def imports(candidate: Candidate) -> Iterator[str]:
    """Strands, Langfuse, the OTLP exporter and the handler import from a read-only tree, uncompiled."""
    with tempfile.TemporaryDirectory() as scratch, _mounted(candidate) as mounted:
        modules = [_ENTRY, *_MODULES] if candidate.handler else _MODULES  # it says how the rest loads
        if candidate.handler:
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(candidate.handler, scratch, dirs_exist_ok=True, ignore=ignored)
        environment = {"HOME": scratch, "AWS_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true"}
        said = _run(judge_imports.__name__, str(mounted), scratch, *modules, environment=environment)
        yield from said.splitlines()


def imports_run_here() -> bool:
    """Whether this machine can run the layers' machine code."""
    return sys.platform == "linux" and platform.machine() == "x86_64"


@contextlib.contextmanager
def _mounted(candidate: Candidate) -> Iterator[Path]:
    """The layers' union, as it stands at /opt."""
    if all(tree.entries and not tree.outside for tree in candidate.trees):
        with opt.mounted([tree.path for tree in candidate.trees], store=candidate.store) as folder:
            yield folder
        return
    with tempfile.TemporaryDirectory() as scratch:
        for tree in candidate.trees:
            for path, data in tree.files.items():
                place = Path(scratch, "python", path)
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(data)
        yield Path(scratch)


def _run(module: str, *arguments: str, environment: Mapping[str, str]) -> str:
    """Run a module of ours in the target interpreter, with no site-packages to lean on."""
    command = [str(interpreter.target()), "-I", "-S", "-c", _START, str(_REPOSITORY), module, *arguments]
    run = subprocess.run(command, capture_output=True, encoding="utf-8", check=False, env=environment)
    if run.returncode:
        raise Failure(f"{module} failed in {command[0]}: {wheels.last_line(run.stderr)}")
    return run.stdout
