"""A server that is a program of its own: started, waited for, and stopped."""

import contextlib
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import httpx

from tools.command import Failure

_START_S = 60.0


@contextlib.contextmanager
def running(
    name: str,
    command: Sequence[str],
    health_url: str,
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> Iterator[None]:
    """Run a server; it accepts requests within the `with` statement.

    Its standard input stays open until the end, so a server can notice that this process has ended.

    Args:
        name: what the server is, for the error.
        command: the program and its arguments.
        health_url: an address that responds as soon as the server has started.
        cwd: the server's working directory.
        env: the server's environment variables.

    Raises:
        Failure: the server ended or does not respond; the message has the last line of its output.
    """
    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log, cwd=cwd, env=env) as process,
    ):
        try:
            if not _responds(health_url, process):
                log.seek(0)
                lines = log.read().decode("utf-8", "replace").strip().splitlines()
                raise Failure(f"{name} did not start: {lines[-1] if lines else 'it printed nothing'}")
            yield
        finally:
            process.kill()


def _responds(url: str, process: subprocess.Popen[bytes]) -> bool:
    until = time.monotonic() + _START_S
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(httpx.HTTPError):
            httpx.get(url, trust_env=False, timeout=2)
            return True
        time.sleep(0.05)
    return False
