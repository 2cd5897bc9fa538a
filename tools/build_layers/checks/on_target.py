"""Checks that need the target interpreter."""

import contextlib
import json
import os
import platform
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from layers import MACHINES, function_asset
from tools.build_layers import target_process
from tools.build_layers.checks.candidate import Candidate
from tools.build_layers.checks.layer_contents import LayerContents
from tools.build_layers.checks.result import Harmless
from tools.build_layers.mounted_layers import mounted
from tools.build_layers.target_scripts import check_bytecode, check_imports

_MODULES = (
    "strands",
    "strands.models.bedrock",
    "langfuse",
    "opentelemetry.exporter.otlp.proto.http.trace_exporter",
)


def bytecode(candidate: Candidate) -> Iterator[str]:
    """Every module has unchecked-hash bytecode of the target, of its source, for its path on Lambda."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from (line for lines in pool.map(_bytecode, candidate.layers) for line in lines)


def _bytecode(layer: LayerContents) -> list[str]:
    if not any(path.endswith((".py", ".pyc")) and path not in layer.passed for path in layer.files):
        return []
    with tempfile.TemporaryDirectory() as scratch:
        passed = Path(scratch, "passed")
        passed.write_text("\n".join(layer.passed), "utf-8")
        lines = target_process.run(check_bytecode, str(layer.path), str(passed)).splitlines()
    found = ((f"{layer.name}: {path} {fault}", harmless) for path, fault, harmless in map(json.loads, lines))
    return [Harmless(message) if harmless else message for message, harmless in found]


def imports(candidate: Candidate) -> Iterator[str]:
    """Strands, Langfuse, the OTLP exporter and the function's asset import read-only and uncompiled."""
    with tempfile.TemporaryDirectory() as scratch, mounted_opt(candidate) as opt:
        # The function's module comes first, because it decides how the others are loaded.
        modules = [function_asset.ENTRY, *_MODULES] if candidate.handler else _MODULES
        environment = {"HOME": scratch, "AWS_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true"}
        arguments = (str(opt), str(candidate.handler or ""), *modules)
        yield from target_process.run(check_imports, *arguments, environment=environment).splitlines()


def runs_here(architecture: str) -> bool:
    """Whether this machine can run machine code for the function on this architecture."""
    return sys.platform == "linux" and platform.machine() == MACHINES[architecture]


@contextlib.contextmanager
def mounted_opt(candidate: Candidate) -> Iterator[Path]:
    """The union of the layers, as it is at /opt."""
    if candidate.opt:
        yield candidate.opt
        return
    if all(layer.entries and not layer.outside for layer in candidate.layers):
        with mounted([layer.parts for layer in candidate.layers], store=candidate.store) as folder:
            yield folder
        return
    with tempfile.TemporaryDirectory() as scratch:
        for layer in candidate.layers:
            for path, data in layer.files.items():
                place = Path(scratch, "python", path)
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(data)
        yield Path(scratch)
