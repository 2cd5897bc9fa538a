"""The default stack on the local cloud, over HTTP."""

import io
import json
import re
import shutil
import socket
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from layers import function_asset
from tests.example_agent.source import EXAMPLE_AGENT
from tools.local.cloud.local_cloud import FAKE_MODEL_HEADER
from tools.local.control_plane.server import ACCOUNT, _session
from tools.local.fakes.langfuse_server import FakeLangfuse
from tools.local.runtime import processes

ROOT = Path(__file__).parents[2]


def ask(cloud, query="What is 2+2?", **more):
    return httpx.post(cloud.url, json={"query": query, **more}, timeout=60)


def test_the_deployed_function_answers_with_its_tool_and_its_trace_arrives(cloud):
    answer = ask(cloud, session_id="s-1", user_id="u-1", tags=["t-1"]).json()
    assert answer["response"] == "The answer is 4."
    trace = cloud.langfuse.wait_for(answer["trace_id"])
    attributes = trace.root.attributes
    assert json.loads(attributes["langfuse.observation.input"]) == {"query": "What is 2+2?"}
    assert json.loads(attributes["langfuse.observation.output"]) == {"response": "The answer is 4."}
    assert (attributes["session.id"], attributes["user.id"]) == ("s-1", "u-1")
    assert {"t-1", answer["trace_filter"]} <= set(attributes["langfuse.trace.tags"])
    assert len(trace.named("chat")) == 2
    assert [span.attributes["gen_ai.tool.name"] for span in trace.spans if "execute_tool" in span.name] == [
        "calculator"
    ]


def test_a_demonstration_uses_two_tools_at_once(cloud):
    answer = httpx.post(cloud.url, json={"action": "run_demo"}, timeout=60).json()
    assert re.fullmatch(r"The answer is 42; \d{4}-\d\d-\d\dT[\d:]+\+00:00\.", answer["response"])
    trace = cloud.langfuse.wait_for(answer["trace_id"])
    assert trace.root.name == "run_demo"
    assert len(trace.named("chat")) == 2
    used = [span for span in trace.spans if "execute_tool" in span.name]
    assert {span.attributes["gen_ai.tool.name"] for span in used} == {"calculator", "current_time"}
    assert len({span.parent_id for span in used}) == 1


def test_an_answer_of_the_fake_model_is_marked(cloud):
    assert ask(cloud).headers[FAKE_MODEL_HEADER] == "true"
    assert ask(cloud, "[[deny]]").headers[FAKE_MODEL_HEADER] == "true"


def test_the_trace_link_of_an_answer_can_be_opened(cloud):
    answer = ask(cloud).json()
    assert cloud.langfuse.wait_for(answer["trace_id"])
    assert "What is 2+2?" in httpx.get(answer["trace_url"]).text


def test_the_secret_key_is_in_secrets_manager_and_nowhere_else(cloud):
    key = cloud.langfuse.secret_key
    named = cloud.pool.function.environment["LANGFUSE_SECRET_ARN"]
    secret = cloud.client("secretsmanager").get_secret_value(SecretId=named)
    assert key in secret["SecretString"]
    function = cloud.client("lambda").get_function(FunctionName=cloud.outputs["FunctionName"])
    stack = cloud.client("cloudformation").get_template(StackName="strands-langfuse-lambda")
    assert key not in json.dumps([function, stack["TemplateBody"]], default=str)
    assert key not in json.dumps(dict(cloud.pool.function.environment))


def test_what_runs_was_downloaded_from_the_control_plane(cloud):
    function = cloud.pool.function
    assert not function.code.is_relative_to(ROOT)
    assert not function.opt.is_relative_to(ROOT)


def test_after_an_update_the_function_runs_the_files_that_are_deployed(cloud):
    asset = function_asset.assembled(EXAMPLE_AGENT, cloud.pool.function.code)
    assert cloud.update(asset) is None
    assert cloud.pool.function.code == asset
    with zipfile.ZipFile(io.BytesIO(cloud.deployed.code_zip())) as deployed:
        assert {name: deployed.read(name) for name in deployed.namelist()} == {
            path.relative_to(asset).as_posix(): path.read_bytes()
            for path in asset.rglob("*")
            if path.is_file()
        }
    assert ask(cloud).json()["response"] == "The answer is 4."


def test_code_that_does_not_start_is_not_left_deployed(cloud, tmp_path):
    deployed, running = cloud.deployed.code_zip(), cloud.pool.function
    source = shutil.copytree(EXAMPLE_AGENT, tmp_path / "agent")
    (source / "agent.py").write_text("import no_such_module\n")
    assert "no_such_module" in cloud.update(function_asset.assembled(source, running.code))
    assert cloud.deployed.code_zip() == deployed
    assert cloud.pool.function is running
    assert ask(cloud).json()["response"] == "The answer is 4."


def test_the_control_plane_runs_no_function(cloud):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("app.py", "def handler(event, context): return 'ran'")
    client = cloud.client("lambda")
    client.create_function(
        FunctionName="other",
        Runtime="python3.13",
        Handler="app.handler",
        Role=f"arn:aws:iam::{ACCOUNT}:role/any",
        Code={"ZipFile": packed.getvalue()},
    )
    said = client.invoke(FunctionName="other", Payload=b"{}")["Payload"].read()
    client.delete_function(FunctionName="other")
    assert b"starts no process" in said


def test_everything_listens_on_loopback_only(cloud):
    ports = {
        urlsplit(url).port
        for url in (cloud.url, cloud.control_plane.url, cloud.bedrock.url, cloud.langfuse.url)
    }
    listening = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    local = {int(words[1][9:], 16): words[1][:8] for words in listening if words[3] == "0A"}
    assert {local[port] for port in ports} == {"0100007F"}
    assert not Path("/proc/net/tcp6").exists() or not ports & {
        int(line.split()[1][33:], 16) for line in Path("/proc/net/tcp6").read_text().splitlines()[1:]
    }


@pytest.mark.parametrize(("directive", "status"), [("deny", 502), ("throttle", 429), ("break", 502)])
def test_a_directive_makes_the_model_fail(cloud, directive, status):
    assert ask(cloud, f"[[{directive}]] hello").status_code == status
    assert ask(cloud).status_code == 200


def test_a_backend_that_refuses_delays_no_answer(cloud):
    cloud.langfuse.inject_fault("unauthorized", times=3)
    assert ask(cloud).status_code == 200
    cloud.langfuse.inject_fault("ok")
    assert cloud.langfuse.wait_for(ask(cloud).json()["trace_id"])


def test_the_users_own_langfuse_gets_the_traces_and_the_fake_gets_none(variant):
    with FakeLangfuse(public_key="pk-own", secret_key="sk-own") as own:
        keys = {"LANGFUSE_PUBLIC_KEY": "pk-own", "LANGFUSE_SECRET_KEY": "sk-own", "LANGFUSE_HOST": own.url}
        cloud = variant({}, environ=keys)
        answer = ask(cloud).json()
        assert answer["langfuse_url"] == own.url
        assert own.wait_for(answer["trace_id"])
        assert (cloud.keeps_traces, cloud.langfuse.traces()) == (False, [])


def test_nothing_of_the_users_aws_settings_is_read(cloud, monkeypatch, tmp_path):
    config = tmp_path / "config"
    config.write_text("this is no configuration")
    monkeypatch.setenv("AWS_PROFILE", "no-such-profile")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", "http://192.0.2.1:1")
    monkeypatch.setenv("HTTP_PROXY", "http://192.0.2.1:1")
    _session.cache_clear()
    assert cloud.deployed.code_zip()
    assert not [
        name for name in cloud.control_plane.environment() if name.startswith(("AWS_PROFILE", "HTTP_PROXY"))
    ]


@pytest.mark.parametrize("command", ["demo", "serve"])
def test_a_port_in_use_is_one_line(command):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        words = [sys.executable, "-m", "tools.local", command, "--port", str(taken.getsockname()[1])]
        ran = subprocess.run(words, check=False, capture_output=True, encoding="utf-8", cwd=ROOT, timeout=60)
    assert ran.returncode == 1
    assert len(ran.stderr.splitlines()) == 1
    assert "--port" in ran.stderr


def test_an_error_of_the_stack_is_one_line():
    words = [sys.executable, "-m", "tools.local", "serve", "-c", "auth=maybe"]
    ran = subprocess.run(words, check=False, capture_output=True, encoding="utf-8", cwd=ROOT, timeout=120)
    assert ran.returncode == 1
    error = [line for line in ran.stderr.splitlines() if line.startswith("error: ")]
    assert len(error) == 1
    assert "iam" in error[0]
    assert "Traceback" not in ran.stderr


def test_the_control_plane_ends_with_the_process_that_started_it(cloud):
    program = """
import sys, time
from tools.local.control_plane.server import ControlPlane
with ControlPlane() as plane:
    print(plane.url, flush=True)
    time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, cwd=ROOT) as process:
        url = process.stdout.readline().decode().strip()
        assert httpx.get(f"{url}/_ministack/health").status_code == 200
        children = processes.family(process.pid)[1:]
        process.kill()
    assert children
    until = time.monotonic() + 60
    while answers(url) and time.monotonic() < until:
        time.sleep(0.05)
    assert not answers(url)


def answers(url):
    try:
        return httpx.get(f"{url}/_ministack/health").status_code == 200
    except httpx.TransportError:
        return False
