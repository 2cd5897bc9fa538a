"""Execution environments behave as Lambda documents them: variables, limits, errors and timeouts."""

from pathlib import Path

import pytest

from tests.integration.local.small_functions import answer, ask
from tools.local.runtime import sandbox


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


def test_nothing_of_the_users_environment_is_passed_on(run, boxed, monkeypatch):
    monkeypatch.setenv("SECRET_OF_THE_USER", "seen")
    code = "import os\ndef handler(event, context): return dict(os.environ)"
    assert "SECRET_OF_THE_USER" not in answer(run(code, bubblewrap=boxed))


@pytest.mark.skipif(not sandbox.available(), reason="bubblewrap is not there")
def test_the_function_runs_as_the_user_of_lambda(run):
    code = """
        import getpass, os, pathlib
        def handler(event, context): return [getpass.getuser(), str(pathlib.Path.home()), os.getuid()]
    """
    assert answer(run(code, bubblewrap=True)) == ["sbx_user1051", "/home/sbx_user1051", 993]


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


def test_an_exception_is_the_runtimes_own_error_and_the_environment_is_kept(run):
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


def test_memory_over_the_limit_ends_the_environment(run, boxed):
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


def test_a_failing_init_is_tried_once_more_and_then_reported(run):
    environments = run("raise RuntimeError('not today')")
    error = ask(environments).error
    assert (error["errorType"], error["errorMessage"]) == ("RuntimeError", "not today")
    assert sum("INIT_REPORT" in line for line in environments.lines) == 2
    assert ask(environments).error


def test_a_missing_handler_is_reported_with_the_runtimes_message(run):
    assert ask(run("")).error["errorType"] == "Runtime.HandlerNotFound"
    assert ask(run("import no_such_module")).error["errorType"] == "Runtime.ImportModuleError"


def test_a_slow_init_is_stopped_and_repeated_within_the_functions_timeout(run):
    code = "import time\ntime.sleep(1)\ndef handler(event, context): return 'there'"
    environments = run(code, init_limit_s=0.5)
    assert answer(environments) == "there"
    assert any("Phase: init\tStatus: timeout" in line for line in environments.lines)
    assert ask(run(code, init_limit_s=0.2, timeout_s=0.5)).error["errorType"] == "Sandbox.Timedout"


def test_a_candidate_that_cannot_be_deployed_is_not_used(run):
    code = "import os\ndef handler(event, context): return '{} ' + str(os.getpid())"
    environments, candidate = run(code.format("first")), run(code.format("second")).function
    running = answer(environments)

    def deploy():
        raise OSError("the control plane has ended")

    with pytest.raises(OSError, match="has ended"):
        environments.start_candidate(candidate, deploy)
    assert answer(environments) == running
    assert environments.start_candidate(candidate) is None
    assert answer(environments).startswith("second ")


def test_a_response_over_six_megabytes_is_an_error_and_the_environment_is_kept(run):
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
