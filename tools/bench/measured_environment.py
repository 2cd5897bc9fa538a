"""One execution environment of the function, with the CPU and memory of its process."""

import contextlib
import subprocess
import threading
import time
from collections.abc import Callable, Iterator

from tools.bench import deployed
from tools.local.runtime import processes, sandbox
from tools.local.runtime.execution_environment import ExecutionEnvironment
from tools.local.runtime.function import Function
from tools.local.runtime.invocation import Invocation

_INIT_S = 60


class MeasuredEnvironment:
    """An execution environment after init."""

    def __init__(self, environment: ExecutionEnvironment, pid: int) -> None:
        self._environment = environment
        self._pid = pid

    def ask(self, token: str = "") -> tuple[float, float]:
        """Send one request and wait until the environment is frozen: its trace has been sent by then.

        Args:
            token: the request's bearer token, for a function that verifies tokens.

        Returns:
            The seconds until the answer, and the CPU seconds of the process at that moment.

        Raises:
            RuntimeError: the response is not an answer.
        """
        invocation = Invocation(deployed.event(token=token))
        serving = threading.Thread(target=self._environment.serve, args=(invocation,))
        sent = time.perf_counter()
        serving.start()
        invocation.wait()
        answered = time.perf_counter() - sent, self.cpu_s()
        serving.join()
        deployed.check(invocation)
        return answered

    def cpu_s(self) -> float:
        """CPU seconds since the start of the process."""
        return processes.cpu_s(self._pid)

    def peak_mb(self) -> float:
        """The largest resident memory so far."""
        return processes.peak_mb(self._pid)


@contextlib.contextmanager
def started(function: Function, join: Callable[[], None]) -> Iterator[MeasuredEnvironment]:
    """Start an environment and run its init.

    Args:
        function: the function.
        join: is called by the new process before it runs the function, to join a control group.

    Raises:
        RuntimeError: init failed.
    """
    pids: list[int] = []

    def start(launch: sandbox.Launch) -> subprocess.Popen[bytes]:
        process = sandbox.start(launch, join=join)
        pids.append(process.pid)
        return process

    environment = ExecutionEnvironment(function, log=lambda _: None, start=start)
    try:
        if error := environment.init(_INIT_S):
            raise RuntimeError(error["errorMessage"])
        yield MeasuredEnvironment(environment, pids[0])
    finally:
        environment.end()
