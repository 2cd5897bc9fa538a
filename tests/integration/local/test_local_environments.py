"""Execution environments behave as Lambda documents them; on tiny handlers, without layers."""

import contextlib
import json
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

from tools.local.runtime import processes, sandbox
from tools.local.runtime.environment_pool import EnvironmentPool, Throttled
from tools.local.runtime.function import Function

PING = "def handler(event, context): return event"

EXTENSION = """
import http.client, json, os, threading, time

def call(method, path, headers, body=None):
    connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    connection.request(method, "/2020-01-01/extension" + path, body, headers)
    response = connection.getresponse()
    return response.status, response.headers, json.loads(response.read() or b"{}")

def register(name, events):
    return call("POST", "/register", {"Lambda-Extension-Name": name}, json.dumps({"events": events}))
"""


@pytest.fixture
def run(tmp_path):
    """Makes the environments of a function with this code; `lines` holds its log."""
    with contextlib.ExitStack() as stack:

        def make(code, init_limit_s=10.0, bubblewrap=None, **fields):
            directory = tmp_path / str(len(list(tmp_path.iterdir())))
            directory.mkdir()
            (directory / "app.py").write_text(textwrap.dedent(code))
            lines = []
            environments = stack.enter_context(
                EnvironmentPool(
                    Function(code=directory, handler="app.handler", **fields),
                    log=lines.append,
                    init_limit_s=init_limit_s,
                    bubblewrap=bubblewrap,
                )
            )
            environments.lines = lines
            return environments

        yield make


def ask(environments, event=None):
    return environments.invoke(json.dumps(event or {}).encode())


def answer(environments, event=None):
    invocation = ask(environments, event)
    assert invocation.error is None
    return json.loads(invocation.payload)


@pytest.fixture(params=["bubblewrap", "plain"])
def boxed(request):
    if request.param == "bubblewrap" and not sandbox.available():
        pytest.skip("bubblewrap is not there")
    return request.param == "bubblewrap"


def test_the_function_finds_the_variables_that_lambda_sets(run, boxed):
    code = """
        import os, sys
        def handler(event, context):
            return {"environ": dict(os.environ), "path": sys.path, "arn": context.invoked_function_arn,
                    "left": context.get_remaining_time_in_millis(), "version": context.function_version}
    """
    environments = run(code, bubblewrap=boxed, environment={"OWN": "value"}, memory_mb=512, timeout_s=7)
    seen = answer(environments)
    environ = seen["environ"]
    assert environ["OWN"] == "value"
    assert environ["AWS_REGION"] == environ["AWS_DEFAULT_REGION"] == "us-east-1"
    assert environ["AWS_EXECUTION_ENV"] == "AWS_Lambda_python3.13"
    assert environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "512"
    assert environ["_HANDLER"] == "app.handler"
    assert environ["TZ"] == ":UTC"
    assert 6000 < seen["left"] <= 7000
    assert seen["arn"] == "arn:aws:lambda:us-east-1:000000000000:function:agent"
    assert seen["path"][0] == environ["LAMBDA_TASK_ROOT"]
    assert seen["path"][2].endswith("/python")
    assert seen["path"][3] == environ["LAMBDA_RUNTIME_DIR"]
    assert not [path for path in seen["path"][4:] if "site-packages" in path]


@pytest.mark.skipif(not sandbox.available(), reason="bubblewrap is not there")
def test_an_interpreter_under_opt_is_not_hidden_by_the_layers(run, monkeypatch):
    assert sandbox.interpreter_place(Path("/opt/hostedtoolcache/Python/3.13.5/x64")) == Path("/var/lang")
    code = "import sys, json\ndef handler(event, context): return [sys.prefix, json.__file__]"
    _, prefix, _ = sandbox._interpreter()
    assert sandbox.interpreter_place(prefix) == prefix
    monkeypatch.setattr(sandbox, "_MOUNTED", (str(prefix),))
    assert answer(run(code, bubblewrap=True)) == ["/var/lang", "/var/lang/lib/python3.13/json/__init__.py"]


def test_nothing_of_the_users_environment_comes_in(run, boxed, monkeypatch):
    monkeypatch.setenv("SECRET_OF_THE_USER", "seen")
    code = "import os\ndef handler(event, context): return dict(os.environ)"
    assert "SECRET_OF_THE_USER" not in answer(run(code, bubblewrap=boxed))


@pytest.mark.skipif(not sandbox.available(), reason="bubblewrap is not there")
def test_only_tmp_can_be_written(run):
    code = """
        import os, pathlib
        def handler(event, context):
            refused = []
            for place in ("/var/task", "/var/runtime", "/opt", "/", "/usr", os.path.dirname(os.__file__)):
                try:
                    pathlib.Path(place, "written").write_text("")
                except OSError:
                    refused.append(place)
            pathlib.Path("/tmp/written").write_text("")
            return {"refused": len(refused), "home": os.path.exists(event["home"])}
    """
    assert answer(run(code, opt=Path(__file__).parent), {"home": __file__}) == {"refused": 6, "home": False}


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


def test_a_timeout_ends_the_environment_and_the_next_request_has_a_new_one(run, boxed):
    code = """
        import time
        calls = 0
        def handler(event, context):
            global calls
            calls += 1
            time.sleep(event.get("sleep", 0))
            return calls
    """
    environments = run(code, timeout_s=1, bubblewrap=boxed)
    assert answer(environments) == 1
    late = ask(environments, {"sleep": 30})
    assert late.error["errorType"] == "Sandbox.Timedout"
    assert late.error["errorMessage"].endswith("Error: Task timed out after 1.00 seconds")
    assert answer(environments) == 1
    assert any("Status: timeout" in line for line in environments.lines)


@pytest.mark.parametrize(
    ("does", "says"),
    [
        ("os._exit(3)", "exit status 3"),
        ("os.kill(os.getpid(), 9)", "signal: killed"),
        ("os._exit(0)", "without providing a reason"),
    ],
)
def test_a_crash_is_an_error_and_the_environment_is_replaced(run, boxed, does, says):
    code = f"""
        import os
        def handler(event, context):
            if event.get("crash"):
                {does}
            return "well"
    """
    environments = run(code, bubblewrap=boxed)
    crashed = ask(environments, {"crash": True})
    assert crashed.error["errorType"] == "Runtime.ExitError"
    assert says in crashed.error["errorMessage"]
    assert answer(environments) == "well"


def test_an_exception_is_the_runtimes_own_error_and_the_environment_lives_on(run):
    code = """
        calls = 0
        def handler(event, context):
            global calls
            calls += 1
            if event.get("fail"):
                raise ValueError("not so")
            return calls
    """
    environments = run(code)
    error = ask(environments, {"fail": True}).error
    assert (error["errorType"], error["errorMessage"]) == ("ValueError", "not so")
    assert answer(environments) == 2


def test_memory_over_the_limit_kills(run, boxed):
    code = """
        import time
        def handler(event, context):
            held = b"x" * (event.get("mb", 0) * 1024 * 1024)
            time.sleep(1 if held else 0)
            return len(held)
    """
    environments = run(code, memory_mb=128, bubblewrap=boxed)
    killed = ask(environments, {"mb": 300})
    assert killed.error["errorType"] == "Runtime.ExitError"
    assert "signal: killed" in killed.error["errorMessage"]
    assert answer(environments) == 0


def test_a_failing_init_is_tried_once_more_and_then_told(run):
    environments = run("raise RuntimeError('not today')")
    error = ask(environments).error
    assert (error["errorType"], error["errorMessage"]) == ("RuntimeError", "not today")
    assert sum("INIT_REPORT" in line for line in environments.lines) == 2
    assert ask(environments).error


def test_a_missing_handler_is_told_in_the_runtimes_words(run):
    assert ask(run("")).error["errorType"] == "Runtime.HandlerNotFound"
    assert ask(run("import no_such_module")).error["errorType"] == "Runtime.ImportModuleError"


def test_a_slow_init_is_cut_off_and_goes_on_within_the_functions_timeout(run):
    code = "import time\ntime.sleep(1)\ndef handler(event, context): return 'there'"
    environments = run(code, init_limit_s=0.5)
    assert answer(environments) == "there"
    assert any("Phase: init\tStatus: timeout" in line for line in environments.lines)
    assert ask(run(code, init_limit_s=0.2, timeout_s=0.5)).error["errorType"] == "Sandbox.Timedout"


def test_a_response_over_six_megabytes_is_an_error_and_the_environment_lives_on(run):
    code = """
        calls = 0
        def handler(event, context):
            global calls
            calls += 1
            return "x" * event["bytes"] if "bytes" in event else calls
    """
    environments = run(code)
    assert len(answer(environments, {"bytes": 6 * 1024 * 1024})) == 6 * 1024 * 1024
    error = ask(environments, {"bytes": 6 * 1024 * 1024 + 200}).error
    assert error["errorType"] == "Function.ResponseSizeTooLarge"
    alive = answer(environments)
    assert alive in (1, 3)  # the runtime may take the refusal as fatal, as AWS's does


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


def test_past_the_reserved_concurrency_it_throttles(run):
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


def test_an_extension_works_on_after_the_answer_and_before_the_freeze(run):
    code = (
        EXTENSION
        + """
done = []
def extension(identifier):
    while True:
        _, _, event = call("GET", "/event/next", {"Lambda-Extension-Identifier": identifier})
        time.sleep(0.5)
        done.append(event["requestId"])
status, headers, about = register("mine", ["INVOKE"])
assert (status, about["functionName"]) == (200, "agent")
threading.Thread(target=extension, args=[headers["Lambda-Extension-Identifier"]], daemon=True).start()
def handler(event, context):
    return done
"""
    )
    environments = run(code)
    first = ask(environments)
    began = time.monotonic()
    assert json.loads(first.payload) == []
    assert time.monotonic() - began < 0.4
    time.sleep(1)
    assert answer(environments) == [first.request_id]


def test_the_extensions_api_refuses_as_aws_does(run):
    code = (
        EXTENSION
        + """
refused = [register("a", ["SHUTDOWN"])[::2], register("", [])[::2], call("GET", "/event/next", {})[::2]]
refused.append(call("GET", "/event/next", {"Lambda-Extension-Identifier": "other"})[::2])
def handler(event, context):
    return [*refused, register("late", ["INVOKE"])[::2]]
"""
    )
    refused = answer(run(code))
    assert [status for status, _ in refused] == [403] * 5
    assert [body["errorType"] for _, body in refused] == [
        "Extension.InvalidEventType",
        "Extension.InvalidExtensionName",
        "Extension.MissingExtensionIdentifier",
        "Extension.UnknownExtensionIdentifier",
        "Extension.RegistrationClosed",
    ]


def test_an_extension_that_never_asks_again_costs_the_environment_not_the_answer(run):
    code = (
        EXTENSION
        + """
def extension(identifier):
    call("GET", "/event/next", {"Lambda-Extension-Identifier": identifier})
    time.sleep(60)
identifier = register("mine", ["INVOKE"])[1]["Lambda-Extension-Identifier"]
threading.Thread(target=extension, args=[identifier], daemon=True).start()
def handler(event, context):
    return "answered"
"""
    )
    environments = run(code, timeout_s=1)
    assert answer(environments) == "answered"
    assert answer(environments) == "answered"
    time.sleep(1.5)
    assert any("Status: timeout" in line for line in environments.lines)
    assert answer(environments) == "answered"


STREAM = """
import http.client, os, time

def handler(event, context):
    connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    path = "/2018-06-01/runtime/invocation/%s/response" % context.aws_request_id
    connection.putrequest("POST", path)
    connection.putheader("Lambda-Runtime-Function-Response-Mode", event.get("mode", "streaming"))
    connection.putheader("Transfer-Encoding", "chunked")
    connection.putheader("Content-Type", "text/plain")
    connection.endheaders()
    for word in event.get("words", []):
        connection.send(b"%x\\r\\n%b\\r\\n" % (len(word), word.encode()))
        time.sleep(event.get("pause", 0))
    if event.get("crash"):
        os._exit(1)
    trailers = "".join("%s: %s\\r\\n" % pair for pair in event.get("trailers", {}).items())
    connection.send(b"0\\r\\n" + trailers.encode() + b"\\r\\n")
    print(connection.getresponse().status)
"""


def test_a_streamed_response_comes_as_it_is_said(run):
    environments = run(STREAM)
    began = time.monotonic()
    invocation = ask(environments, {"words": ["a", "b", "c"], "pause": 0.5})
    chunks = [(chunk, time.monotonic() - began) for chunk in invocation.chunks()]
    assert [chunk for chunk, _ in chunks] == [b"a", b"b", b"c"]
    assert chunks[1][1] - chunks[0][1] > 0.3
    assert (invocation.streamed, invocation.content_type, invocation.error) == (True, "text/plain", None)


def test_an_error_in_the_trailers_ends_the_stream_with_it(run):
    trailers = {
        "Lambda-Runtime-Function-Error-Type": "Model.Broke",
        "Lambda-Runtime-Function-Error-Body": "eyJ9",
    }
    invocation = ask(run(STREAM), {"words": ["half"], "trailers": trailers})
    assert invocation.payload == b"half"
    assert invocation.error == {"errorType": "Model.Broke", "errorMessage": "eyJ9"}


def test_a_crash_in_the_middle_truncates_the_stream(run):
    environments = run(STREAM)
    invocation = ask(environments, {"words": ["half"], "crash": True})
    assert invocation.payload == b"half"
    assert invocation.error
    assert ask(environments, {"words": ["whole"]}).payload == b"whole"


def test_a_mode_that_is_not_streaming_is_refused(run):
    error = ask(run(STREAM), {"mode": "other", "words": []}).error
    assert error["errorType"] == "Runtime.InvalidResponseModeHeader"


def test_the_end_leaves_no_process_and_no_directory(run, boxed, tmp_path, monkeypatch):
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
    until = time.monotonic() + 5
    while any(map(alive, before)) and time.monotonic() < until:
        time.sleep(0.05)
    assert not [pid for pid in before if alive(pid)]


@pytest.mark.skipif(not sandbox.available(), reason="bubblewrap is not there")
def test_a_killed_tool_takes_its_sandboxes_with_it(tmp_path):
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
    until = time.monotonic() + 5
    while any(alive(pid) for pid in pids) and time.monotonic() < until:
        time.sleep(0.05)
    assert not [pid for pid in pids if alive(pid)]


def running(environments):
    """The processes of the idle environments, the function's own last."""
    until = time.monotonic() + 5
    while not environments._idle and time.monotonic() < until:
        time.sleep(0.01)
    return [pid for environment in environments._idle for pid in processes.family(environment._process.pid)]


def alive(pid):
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
