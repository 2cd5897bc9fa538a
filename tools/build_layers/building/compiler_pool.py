"""Compiles wheels on all cores, in processes of the target interpreter."""

import contextlib
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue

from tools import wheels
from tools.build_layers import target_process
from tools.build_layers.target_scripts import compile_wheel
from tools.command import Failure


@contextlib.contextmanager
def compiler_pool(count: int) -> Iterator[Callable[[Path], bytes]]:
    """Gives a function that compiles a wheel, to be called from any thread; runs up to `count` processes."""
    idle: SimpleQueue[subprocess.Popen[str] | None] = SimpleQueue()
    for _ in range(count):
        idle.put(None)
    with tempfile.TemporaryDirectory() as scratch, contextlib.ExitStack() as running:

        def compiled(wheel: Path) -> bytes:
            compiler, target = idle.get(), Path(scratch, wheel.parent.name)
            try:
                compiler = compiler or running.enter_context(_start())
                _compile(compiler, wheel, target)
            finally:
                idle.put(compiler)
            return target.read_bytes()

        yield compiled


def _start() -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    command = target_process.command(compile_wheel)
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, encoding="utf-8")


def _compile(compiler: subprocess.Popen[str], wheel: Path, target: Path) -> None:
    assert compiler.stdin and compiler.stdout and compiler.stderr  # noqa: S101, PT018 - all are pipes
    answer = ""
    with contextlib.suppress(BrokenPipeError):
        print(wheel, target, sep="\t", file=compiler.stdin, flush=True)
        answer = compiler.stdout.readline()
    if not answer:
        output = compiler.stderr.read()
        unknown = f"{wheel.name} cannot be compiled: {wheels.last_line(output)}"
        raise Failure(wheels.explain(output) or unknown)
