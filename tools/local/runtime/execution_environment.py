"""One execution environment: a process, initialised once, frozen between invocations, ended if it fails."""

import contextlib
import math
import shutil
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from tools.local.runtime import processes, sandbox
from tools.local.runtime.function import Function
from tools.local.runtime.invocation import FunctionError, Invocation, failure
from tools.local.runtime.runtime_api import RuntimeApi

if TYPE_CHECKING:
    import subprocess

INIT_LIMIT_S = 10.0
"""Lambda's limit on the init phase."""

_TICK_S = 0.025
"""How often a running process is looked at: has it ended, what memory does it hold."""

Log = Callable[[str], None]
"""Takes one line of the function's or the platform's log."""

Start = Callable[[sandbox.Launch], "subprocess.Popen[bytes]"]
"""Starts a process from a thread that runs longer than it: bubblewrap ends with the thread that forked it."""


class ExecutionEnvironment:
    """A process with its Runtime API."""

    def __init__(self, function: Function, log: Log, start: Start, bubblewrap: bool | None = None) -> None:
        self.function = function
        self._log = log
        self._api = RuntimeApi(function)
        self._api.start()
        self._launch = sandbox.launch(function, self._api.address, bubblewrap=bubblewrap)
        self._began = time.monotonic()
        self._process = start(self._launch)
        self.idle_since = self._began
        """When it was last frozen, on the monotonic clock."""
        self._peak_mb = 0.0
        self._init_ms: float | None = None
        threading.Thread(target=self._pump, daemon=True).start()

    def init(self, limit_s: float, phase: str = "init") -> FunctionError | None:
        """Wait for the runtime to be ready; returns the error if it is not."""
        error = self._watch(lambda: self._api.idle or self._api.init_error is not None, self._began + limit_s)
        error = self._api.init_error or error
        self._init_ms = (time.monotonic() - self._began) * 1000
        if error:
            status = "timeout" if error["errorType"] == "Sandbox.Timedout" else "error"
            self._log(
                f"INIT_REPORT Init Duration: {self._init_ms:.2f} ms\tPhase: {phase}\tStatus: {status}"
                f"\tError Type: {error['errorType']}"
            )
            self.end()
        else:
            processes.freeze(self._process.pid)
        return error

    def serve(self, invocation: Invocation) -> bool:
        """Run one invocation to its end, the extensions' work after the answer included.

        Returns whether the environment can be used again; False as well if it had ended before it took the
        invocation, which then has neither begun nor ended.
        """
        dying = processes.dying(self._process.pid)
        processes.thaw(self._process.pid)
        began, timeout_s = time.monotonic(), self.function.timeout_s
        if dying or not self._api.deliver(invocation, time.time() + timeout_s):
            self.end()
            return False
        self._log(f"START RequestId: {invocation.request_id} Version: {self.function.version}")
        error = self._watch(lambda: self._api.idle, began + timeout_s, invocation.request_id)
        if error:
            self.end()
            self._log(f"RequestId: {invocation.request_id} {error['errorMessage'].partition('Error: ')[2]}")
            invocation.finish(error)
        else:
            self._measure(peak=True)
            processes.freeze(self._process.pid)
            self.idle_since = time.monotonic()
            invocation.finish(
                failure("Runtime.NoResponse", "The runtime asked for the next event unanswered")
            )
        self._report(invocation, (time.monotonic() - began) * 1000, error)
        return not error

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def end(self) -> None:
        """End the process with all its descendants, and its API."""
        if self.alive:
            processes.end(self._process.pid)
            self._process.wait()
        processes.end_group(self._process.pid)
        self._api.stop()
        if self._launch.scratch:
            shutil.rmtree(self._launch.scratch, ignore_errors=True)

    def _watch(self, done: Callable[[], bool], until: float, request_id: str = "") -> FunctionError | None:
        """Wait for `done`; what went wrong, if the process fails or the time is up before."""
        while not self._api.wait(done, min(_TICK_S, max(0.0, until - time.monotonic()))):
            if not self.alive:
                return None if done() else failure("Runtime.ExitError", self._exit(), request_id)
            self._measure()
            if self._peak_mb > self.function.memory_mb:
                return failure("Runtime.ExitError", "Runtime exited with error: signal: killed", request_id)
            if time.monotonic() >= until:
                late = f"Task timed out after {self.function.timeout_s:.2f} seconds"
                return failure("Sandbox.Timedout", late, request_id)
        return None

    def _measure(self, *, peak: bool = False) -> None:
        measured = processes.peak_mb if peak else processes.resident_mb
        self._peak_mb = max(self._peak_mb, measured(self._process.pid))

    def _exit(self) -> str:
        code = self._process.returncode
        # bubblewrap says 128 + n where the process inside was ended by signal n
        signal = -code if code < 0 else code - 128
        if signal > 0:
            return f"Runtime exited with error: signal: {'killed' if signal == 9 else signal}"
        return (
            f"Runtime exited with error: exit status {code}"
            if code
            else "Runtime exited without providing a reason"
        )

    def _report(self, invocation: Invocation, duration_ms: float, error: FunctionError | None) -> None:
        init_ms, self._init_ms = self._init_ms, None
        billed = math.ceil(duration_ms + (init_ms or 0))
        report = [
            f"REPORT RequestId: {invocation.request_id}",
            f"Duration: {duration_ms:.2f} ms",
            f"Billed Duration: {billed} ms",
            f"Memory Size: {self.function.memory_mb} MB",
            f"Max Memory Used: {math.ceil(self._peak_mb)} MB",
        ]
        if init_ms is not None:
            report.append(f"Init Duration: {init_ms:.2f} ms")
        if error:
            timed_out = error["errorType"] == "Sandbox.Timedout"
            report.append(
                "Status: timeout" if timed_out else f"Status: error\tError Type: {error['errorType']}"
            )
        self._log(f"END RequestId: {invocation.request_id}")
        self._log("\t".join(report))

    def _pump(self) -> None:
        assert self._process.stdout  # noqa: S101 - it was asked for
        with contextlib.suppress(ValueError), self._process.stdout as lines:
            for line in lines:
                self._log(line.decode("utf-8", "replace").rstrip("\r\n"))
