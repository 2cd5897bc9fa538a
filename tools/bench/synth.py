"""The stack, synthesized and deployed again unchanged: what a person waits for at the desk."""

import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable

from tools import cdk
from tools.bench.result import Part, Table, at_most, spread
from tools.bench.sampling import interleave
from tools.local.control_plane import ControlPlane

ROUNDS = 5
_SYNTH = "cdk synth"
_DEPLOY = "cdk deploy, nothing changed"


def measure() -> Part:
    """Warm, against a control plane on this machine that has the stack already."""
    with ControlPlane() as plane:
        synthesized = plane.synthesize({})
        plane.bootstrap(synthesized)
        plane.deploy(synthesized)
        deploy = ("deploy", "--require-approval", "never")
        steps = {_SYNTH: _timed(plane, "synth", "--quiet"), _DEPLOY: _timed(plane, *deploy)}
        samples, failed = interleave("synth", steps, ROUNDS)
    return Part(
        title="Synthesizing and deploying the stack",
        tables=[
            Table(
                "Warm, in seconds",
                ["command", "median (middle half)"],
                [[name, spread(seconds)] for name, seconds in samples.items()],
                "The whole command as it is typed, from Python's start to its end; the layers are built.",
            )
        ],
        claims=[
            at_most(name, statistics.median(samples[name]), wanted, " s")
            for name, wanted in ((_SYNTH, 6), (_DEPLOY, 10))
            if name in samples
        ],
        absent=failed,
    )


def _timed(plane: ControlPlane, *words: str) -> Callable[[], float]:
    def sample() -> float:
        with tempfile.TemporaryDirectory() as out:
            started = time.perf_counter()
            command = cdk.command(*words, "--output", out)
            subprocess.run(command, check=True, cwd=cdk.ROOT, env=plane.environment(), capture_output=True)
            return time.perf_counter() - started

    return sample
