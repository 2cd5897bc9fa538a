"""Durations of commands: synthesis, a deployment without changes, the demo, and an edit of the agent."""

import contextlib
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import httpx

from layers import function_asset
from tools.aws import cdk
from tools.bench.result import Part, Table, at_most, spread
from tools.bench.sampling import interleave
from tools.local.cloud.code_watcher import CodeWatcher
from tools.local.cloud.local_cloud import LocalCloud
from tools.local.control_plane.server import ControlPlane

ROUNDS = 5
DEMOS = 3
_WANTED = {
    "cdk synth": 6,
    "cdk deploy, nothing changed": 10,
    "hatch run demo": 30,
    "from an edit of agent.py to the first answer with it": 1.5,
}
"""Seconds."""


def measure() -> Part:
    """Measure with warm caches and the local control plane."""
    synth, deploy, demo, edit = _WANTED
    with ControlPlane() as plane:
        synthesized = plane.synthesize({})
        plane.bootstrap(synthesized)
        plane.deploy(synthesized)
        again = ("deploy", "--require-approval", "never")
        steps = {synth: _cdk(plane, "synth", "--quiet"), deploy: _cdk(plane, *again)}
        samples, failed = interleave("synth", steps, ROUNDS, required=steps)
        samples[edit] = _edits(plane)
    demos, failed_demos = interleave("demo", {demo: _demo}, DEMOS)
    samples |= demos
    return Part(
        title="Commands",
        tables=[
            Table(
                "Warm, in seconds",
                ["command", "median (middle half)"],
                [[name, spread(samples[name])] for name in _WANTED if name in samples],
                "The whole command, from the start of Python to its end, with built layers. "
                "The demo ends when its trace has arrived.",
            )
        ],
        claims=[
            at_most(name, statistics.median(samples[name]), wanted, " s")
            for name, wanted in _WANTED.items()
            if name in samples
        ],
        absent=failed | failed_demos,
    )


def _cdk(plane: ControlPlane, *words: str) -> Callable[[], float]:
    def sample() -> float:
        with tempfile.TemporaryDirectory() as out:
            started = time.perf_counter()
            command = cdk.command(*words, "--output", out)
            subprocess.run(command, check=True, cwd=cdk.ROOT, env=plane.environment(), capture_output=True)
            return time.perf_counter() - started

    return sample


def _demo() -> float:
    started = time.perf_counter()
    for module, *words in (("tools.build_layers", "build", "--quiet"), ("tools.local", "demo")):
        subprocess.run([sys.executable, "-m", module, *words], check=True, cwd=cdk.ROOT, capture_output=True)
    return time.perf_counter() - started


def _edits(plane: ControlPlane) -> list[float]:
    """Edit a copy of the handler, and send requests until the model gets the edited prompt."""
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalCloud(control_plane=plane, log=lambda _: None) as cloud,
    ):
        source = shutil.copytree(function_asset.DEFAULT_AGENT, Path(folder, "src"))
        watcher = CodeWatcher(cloud, lambda _: None, source)
        threading.Thread(target=_watch, args=(watcher,), daemon=True).start()
        return [_edit(cloud, source / "agent.py") for _ in range(ROUNDS)]


def _watch(watcher: CodeWatcher) -> None:
    with contextlib.suppress(Exception):  # it fails when the cloud and the folder are removed
        watcher.run()


def _edit(cloud: LocalCloud, agent: Path) -> float:
    mark = uuid.uuid4().hex
    cloud.pool.drain()  # the export of the last trace would take one of the cores
    started = time.perf_counter()
    agent.write_text(agent.read_text().replace("You are", f"{mark} You are", 1))
    while True:
        httpx.post(cloud.url, json={"query": "Hello"}, timeout=60, trust_env=False).raise_for_status()
        if mark in json.dumps(cloud.bedrock.requests[-1]):
            return time.perf_counter() - started
        time.sleep(0.05)
