"""Each execution environment is a set of processes: frozen between invocations, and removed at the end."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.integration.local.small_functions import PING, alive, answer, ask, running
from tools.local.runtime import processes, sandbox
from tools.local.runtime.environment_pool import Throttled


def test_an_environment_is_frozen_between_invocations_and_so_are_its_children(run, boxed):
    code = """
        import pathlib, subprocess, sys, tempfile, threading, time
        ticks = 0
        def tick():
            global ticks
            while True:
                ticks += 1
                time.sleep(0.01)
        threading.Thread(target=tick, daemon=True).start()
        counted = pathlib.Path(tempfile.gettempdir(), "counted")
        child = "import sys, time\\nwhile True:\\n open(sys.argv[1], 'a').write('x'); time.sleep(0.01)"
        subprocess.Popen([sys.executable, "-c", child, counted])
        time.sleep(0.3)
        def handler(event, context):
            return [ticks, counted.stat().st_size]
    """
    environments = run(code, bubblewrap=boxed)
    before = answer(environments)
    time.sleep(1)
    after = answer(environments)
    assert after[0] - before[0] < 50
    assert after[1] - before[1] < 50


def test_each_concurrent_request_has_an_environment_of_its_own(run):
    code = """
        import os, time, uuid
        me = str(uuid.uuid4())
        def handler(event, context):
            time.sleep(0.5)
            return me
    """
    environments = run(code)
    with ThreadPoolExecutor(3) as callers:
        first = set(callers.map(lambda _: answer(environments), range(3)))
        second = set(callers.map(lambda _: answer(environments), range(3)))
    assert len(first) == 3
    assert first == second


def test_above_the_reserved_concurrency_requests_are_throttled(run):
    environments = run("import time\ndef handler(event, context): time.sleep(1)", reserved_concurrency=1)
    with ThreadPoolExecutor(1) as caller:
        first = caller.submit(ask, environments)
        time.sleep(0.5)
        with pytest.raises(Throttled):
            ask(environments)
        assert first.result().error is None
    assert ask(environments).error is None


def test_a_stuck_environment_does_not_block_the_others(run):
    code = "import time\ndef handler(event, context): time.sleep(event.get('sleep', 0)); return 'free'"
    environments = run(code, timeout_s=3)
    with ThreadPoolExecutor(1) as caller:
        stuck = caller.submit(ask, environments, {"sleep": 60})
        time.sleep(0.3)
        began = time.monotonic()
        assert [answer(environments) for _ in range(5)] == ["free"] * 5
        assert time.monotonic() - began < 2.5
        assert stuck.result().error["errorType"] == "Sandbox.Timedout"


def test_an_environment_that_ended_while_frozen_gets_no_request(run, boxed):
    environments = run("import os\ndef handler(event, context): return os.getpid()", bubblewrap=boxed)
    answer(environments)
    for _ in range(3):
        time.sleep(0.2)
        os.kill(running(environments)[-1], signal.SIGKILL)
        assert ask(environments).error is None


def test_a_sandbox_runs_longer_than_the_thread_of_the_request_that_started_it(run):
    code = "import uuid\nme = str(uuid.uuid4())\ndef handler(event, context): return me"
    environments = run(code)
    seen = []
    for _ in range(3):
        caller = threading.Thread(target=lambda: seen.append(answer(environments)))
        caller.start()
        caller.join()
        time.sleep(0.2)
    assert len(set(seen)) == 1


def test_nothing_is_left_after_the_end(run, boxed, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    environments = run(PING, bubblewrap=boxed)
    answer(environments)
    pids = running(environments)
    assert pids
    environments.__exit__(None, None, None)
    assert not [pid for pid in pids if alive(pid)]


def test_a_crash_leaves_no_orphan(run, boxed):
    code = """
        import os, subprocess, sys
        def handler(event, context):
            child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
            if event.get("crash"):
                os._exit(1)
    """
    environments = run(code, bubblewrap=boxed)
    answer(environments)
    before = running(environments)
    assert ask(environments, {"crash": True}).error
    until = time.monotonic() + 60
    while any(map(alive, before)) and time.monotonic() < until:
        time.sleep(0.05)
    assert not [pid for pid in before if alive(pid)]


@pytest.mark.skipif(not sandbox.available(), reason="bubblewrap is not there")
def test_the_sandboxes_of_a_killed_command_end(tmp_path):
    (tmp_path / "app.py").write_text(PING)
    tool = f"""
        import pathlib, time
        from tools.local.runtime.environment_pool import EnvironmentPool
        from tools.local.runtime.function import Function
        environments = EnvironmentPool(Function(code=pathlib.Path({str(tmp_path)!r}), handler="app.handler"))
        environments.invoke(b"{{}}").payload
        time.sleep(0.3)
        print("ready", flush=True)
        time.sleep(60)
    """
    command = [sys.executable, "-c", textwrap.dedent(tool)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=Path(__file__).parents[2]
    ) as process:
        assert process.stdout.readline() == b"ready\n"
        pids = processes.family(process.pid)[1:]
        process.kill()
    assert pids
    until = time.monotonic() + 60
    while any(alive(pid) for pid in pids) and time.monotonic() < until:
        time.sleep(0.05)
    assert not [pid for pid in pids if alive(pid)]
