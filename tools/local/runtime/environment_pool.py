"""Execution environments: one per concurrent request, frozen between requests, replaced when they fail."""

import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import TYPE_CHECKING, Self

from tools.local.runtime import sandbox
from tools.local.runtime.execution_environment import INIT_LIMIT_S, ExecutionEnvironment, Log
from tools.local.runtime.function import Function
from tools.local.runtime.invocation import FunctionError, Invocation, failure

if TYPE_CHECKING:
    import subprocess

LIMIT = 50
"""Environments of a function without reserved concurrency: a limit for one machine, not an account's."""

_RELEASE_WAIT_S = 0.1
"""How long a request waits for an environment that has answered and is about to be free."""

_SHUTDOWN_S = 1.0
"""How long work after a response may still take when the pool closes."""


_IDLE_S = 300.0
"""How long an environment is kept for the next request; Lambda keeps one for minutes, too."""


class Throttled(Exception):  # noqa: N818 - AWS's word
    """Every environment that the function may have is busy."""


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


class EnvironmentPool:
    """The environments of one function.

    with EnvironmentPool(function) as environments:
        invocation = environments.invoke(b'{"query": "…"}')
        print(invocation.payload, invocation.error)
    """

    def __init__(
        self,
        function: Function,
        *,
        log: Log = _to_stderr,
        init_limit_s: float = INIT_LIMIT_S,
        bubblewrap: bool | None = None,
    ) -> None:
        """`bubblewrap` says whether to use it; by default where it is."""
        self.function = function
        self._init_limit_s, self._bubblewrap = init_limit_s, bubblewrap
        self._log = log
        self._idle: list[ExecutionEnvironment] = []
        self._busy: dict[Invocation, ExecutionEnvironment | None] = {}
        self._changed = threading.Condition()
        self._closed = False
        self._starter = ThreadPoolExecutor(1, "starter")

    def invoke(self, payload: bytes, *, trace_root: str = "") -> Invocation:
        """Run the function once; returns when the response, or its first byte, is there.

        Raises:
            Throttled: no environment is free and none may be added.
        """
        invocation = Invocation(payload, trace_root=trace_root)
        environment = self._admit(invocation)
        threading.Thread(target=self._serve, args=(invocation, environment), daemon=True).start()
        invocation.wait()
        return invocation

    def drain(self) -> list[int]:
        """Wait until nothing runs, not even after a response; returns the frozen process ids."""
        with self._changed:
            self._changed.wait_for(lambda: not self._busy)
            return [environment.pid for environment in self._idle]

    def replace(self, function: Function) -> None:
        """Use this function from the next request on; old environments end with their request."""
        self._replace(function, [])

    def start_candidate(
        self, function: Function, meanwhile: Callable[[], None] = lambda: None
    ) -> FunctionError | None:
        """Use this function from the next request on if it starts; else return why not.

        `meanwhile` is called while it starts; if that fails, the function is not used.
        """
        environment = self._environment(function)
        try:
            meanwhile()
        except BaseException:
            environment.end()
            raise
        if error := environment.init(self._init_limit_s):
            return error
        self._replace(function, [environment])
        return None

    def _replace(self, function: Function, ready: list[ExecutionEnvironment]) -> None:
        with self._changed:
            self.function = function
            idle, self._idle = self._idle, ready
        for environment in idle:
            environment.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._closed = True
            self._changed.wait_for(lambda: not any(running.ended for running in self._busy), _SHUTDOWN_S)
            ending = [*self._idle, *filter(None, self._busy.values())]
            self._idle = []
        for environment in ending:
            environment.end()
        with self._changed:
            self._changed.wait_for(lambda: not self._busy, 5)
        self._starter.shutdown()

    def _admit(self, invocation: Invocation) -> ExecutionEnvironment | None:
        """Count the invocation in, with a frozen environment if there is one."""
        reserved = self.function.reserved_concurrency
        limit = LIMIT if reserved is None else reserved
        with self._changed:
            if not self._idle and any(running.ended for running in self._busy):
                self._changed.wait_for(lambda: self._idle or self._closed, _RELEASE_WAIT_S)
            if self._closed or len(self._busy) >= limit:
                raise Throttled
            environment = self._idle.pop() if self._idle else None
            self._busy[invocation] = environment
            return environment

    def _serve(self, invocation: Invocation, environment: ExecutionEnvironment | None) -> None:
        alive = False
        try:
            if environment:
                alive = environment.serve(invocation)
            if not alive and not invocation.ended and (environment := self._new(invocation)):
                alive = environment.serve(invocation)
        finally:
            invocation.finish(failure("Sandbox.Failure", "The environment failed", invocation.request_id))
            self._release(invocation, environment if alive else None)

    def _new(self, invocation: Invocation) -> ExecutionEnvironment | None:
        """Start an environment; if its init fails, once more within the function's own timeout.

        https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
        """
        error: FunctionError | None = None
        for phase, limit_s in (("init", self._init_limit_s), ("invoke", self.function.timeout_s)):
            environment = self._environment(self.function)
            with self._changed:
                self._busy[invocation] = environment
                closed = self._closed
            if closed:
                environment.end()
                return None
            if not (error := environment.init(limit_s, phase)):
                return environment
        invocation.finish(error)
        return None

    def _release(self, invocation: Invocation, environment: ExecutionEnvironment | None) -> None:
        with self._changed:
            del self._busy[invocation]
            if environment:
                self._idle.append(environment)
            ended = [idle for idle in self._idle if self._is_over(idle)]
            self._idle = [idle for idle in self._idle if idle not in ended]
            self._changed.notify_all()
        for idle in ended:
            idle.end()

    def _is_over(self, idle: ExecutionEnvironment) -> bool:
        outdated = idle.function is not self.function
        return self._closed or outdated or time.monotonic() - idle.idle_since > _IDLE_S

    def _environment(self, function: Function) -> ExecutionEnvironment:
        return ExecutionEnvironment(function, self._log, self._start, self._bubblewrap)

    def _start(self, launch: sandbox.Launch) -> "subprocess.Popen[bytes]":
        return self._starter.submit(sandbox.start, launch).result()
