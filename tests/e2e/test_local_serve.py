"""`local` as people use it: served from a checkout, edited, broken, stopped."""

import json
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

from infra.options import Options
from tests.example_agent.source import EXAMPLE_AGENT
from tools.local.runtime import processes

ROOT = Path(__file__).parents[2]


AGENT = "billing"


class Served:
    """A running `local --json --agent billing` of a copy of this checkout, which tests edit."""

    def __init__(self, checkout):
        self.checkout = checkout
        self.source = checkout / "packages" / AGENT / "src"
        self.runtime = checkout / "packages" / "traced_agent" / "src" / "traced_agent"
        self.log = []
        command = [sys.executable, "-m", "tools.local", "serve", "--json", "--agent", AGENT]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", cwd=checkout
        )
        threading.Thread(target=self._read, daemon=True).start()
        line = self.process.stdout.readline()
        assert line, "\n".join(self.log)
        self.endpoints = json.loads(line)
        self.url = self.endpoints["function_url"]

    def _read(self):
        self.log += (line.rstrip() for line in self.process.stderr)

    def version(self):
        return httpx.get(f"{self.url}health", timeout=60).json()["version"]

    def wait(self, condition):
        until = time.monotonic() + 60
        while not condition() and time.monotonic() < until:
            time.sleep(0.1)
        assert condition(), "\n".join(self.log)

    def said(self, text):
        return any(text in line for line in self.log)


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    checkout = tmp_path_factory.mktemp("checkout")
    for name in ("infra", "layers", "packages", "tools"):
        shutil.copytree(ROOT / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
    add_agent(checkout)
    for name in ("pyproject.toml", "cdk.json", "package.json", "package-lock.json"):
        shutil.copy(ROOT / name, checkout)
    (checkout / "node_modules").symlink_to(ROOT / "node_modules")
    served = Served(checkout)
    yield served
    if served.process.poll() is None:
        served.process.send_signal(signal.SIGINT)
        served.process.wait(60)


def add_agent(checkout):
    """Add a second agent, as an owner does: a folder, and an entry in infra/app.py."""
    shutil.copytree(EXAMPLE_AGENT, checkout / "packages" / AGENT / "src")
    app = checkout / "infra" / "app.py"
    entry = '    "handler": ROOT / "packages" / "handler" / "src",\n'
    code = app.read_text("utf-8")
    assert entry in code
    app.write_text(code.replace(entry, entry + entry.replace("handler", AGENT)), "utf-8")


def test_one_line_of_json_has_the_addresses(served):
    names = ("function_url", "control_plane_url", "bedrock_url", "langfuse_url")
    assert all(served.endpoints[name].startswith("http://127.0.0.1:") for name in names)


def test_the_named_agent_is_deployed(served):
    assert served.endpoints["function_name"].startswith(f"{Options().stack_name}-{AGENT}-")


def test_it_answers_and_shows_the_functions_log(served):
    answer = httpx.post(served.url, json={"query": "What is 2+2?"}, timeout=60).json()
    assert answer["response"] == "The answer is 4."
    served.wait(lambda: served.said(answer["run_id"]) and served.said("REPORT RequestId"))


def test_the_request_after_an_edit_waits_for_the_new_code(served):
    edited = served.runtime / "version.py"
    edited.write_text('"""Edited."""\n\n__version__ = "9.9.9"\n')
    assert served.version() == "9.9.9"
    served.wait(lambda: served.said("version.py changed: deployed"))


def test_a_change_of_the_stack_is_reported(served):
    (served.checkout / "infra" / "regions.py").touch()
    served.wait(lambda: served.said("regions.py changed: restart `hatch run local`"))


def test_a_rebuilt_layer_is_reported(served):
    (served.checkout / "layers" / "langfuse" / "build" / "layer.zip").touch()
    served.wait(lambda: served.said("layer.zip changed: restart `hatch run local`"))


def test_code_that_does_not_compile_is_reported_and_the_previous_code_answers(served):
    (served.source / "agent.py").write_text("def broken(:\n")
    served.wait(lambda: served.said("agent.py changed, but does not start"))
    assert served.version() == "9.9.9"


def test_a_deleted_handler_is_reported_and_the_previous_code_answers(served):
    (served.source / "agent.py").write_text("import no_such_module\n")
    served.wait(lambda: served.said("does not start; the previous version keeps serving: Runtime.Import"))
    shutil.copy(EXAMPLE_AGENT / "agent.py", served.source)
    (served.source / "lambda_handler.py").unlink()
    served.wait(lambda: served.said("lambda_handler"))
    assert httpx.post(served.url, json={"query": "What is 3*3?"}, timeout=60).json()["response"] == (
        "The answer is 9."
    )
    served.wait(lambda: served.said("it has no lambda_handler.py"))


def test_without_the_checkout_the_deployed_code_still_answers(served):
    shutil.rmtree(served.source)
    assert httpx.post(served.url, json={"query": "What is 5-2?"}, timeout=60).json()["response"] == (
        "The answer is 3."
    )


def test_ctrl_c_leaves_no_process_no_port_and_no_mount(served):
    family = processes.family(served.process.pid)
    assert len(family) > 3
    served.process.send_signal(signal.SIGINT)
    assert served.process.wait(60) == 0
    until = time.monotonic() + 60  # what init has yet to reap
    while any(map(alive, family)) and time.monotonic() < until:
        time.sleep(0.05)
    assert not [pid for pid in family if alive(pid)]
    for url in (served.endpoints["function_url"], served.endpoints["control_plane_url"]):
        with pytest.raises(httpx.TransportError):
            httpx.get(url)
    assert "bwrap" not in Path("/proc/mounts").read_text()
    assert "Traceback" not in "\n".join(served.log)


def alive(pid):
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def test_sigterm_to_hatch_stops_everything(tmp_path):
    command = [sys.executable, "-m", "hatch", "run", "python", "-m", "tools.local", "serve", "--json"]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        cwd=ROOT,
        start_new_session=True,
    ) as hatch:
        line = hatch.stdout.readline()
        family = processes.family(hatch.pid)
        hatch.terminate()
        hatch.stderr.close()
    url = json.loads(line)["function_url"]
    until = time.monotonic() + 60
    while any(map(alive, family)) and time.monotonic() < until:
        time.sleep(0.05)
    assert not [pid for pid in family if alive(pid)]
    with pytest.raises(httpx.TransportError):
        httpx.get(url)


@pytest.mark.parametrize("delay_s", [0.6, 1.0, 2.0])  # before that, the interpreter itself starts
def test_ctrl_c_in_the_first_second_prints_no_traceback(delay_s):
    command = [sys.executable, "-m", "tools.local", "serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT) as process:
        time.sleep(delay_s)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert b"Traceback" not in said
