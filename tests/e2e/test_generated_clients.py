"""Clients generated from the served OpenAPI document type-check, and call the URL for every result."""

import json
import shutil
import subprocess
import threading
import time

import httpx
import pytest

from tests.example_agent.control_plane import ExampleControlPlane
from tests.example_agent.source import EXAMPLE_AGENT
from tests.third_party import node
from tools.environments import python_of
from tools.local.cloud.local_cloud import LocalCloud
from traced_agent.errors import STATUS

SOURCES = node.FOLDER
BUSY = {"query": "[[hang]]", "session_id": "busy"}
FULL = {"query": "[[fill_session]]", "session_id": "full"}

ERRORS = {
    "session_busy": {"session_id": "busy"},
    "invalid_json": {"content": "{"},
    "invalid_request": {"query": " "},
    "unauthorized": {"headers": {"authorization": "Bearer x"}},
    "not_found": {"path": "/nope"},
    "method_not_allowed": {"method": "PUT"},
    "session_full": {"session_id": "full"},
    "too_large": {"content": "x" * 300_000},
    "unsupported_media_type": {"headers": {"content-type": "text/plain"}},
    "model_throttled": {"query": "[[throttle]]"},
    "internal_error": {"query": "[[internal_error]]"},
    "model_error": {"query": "[[empty]]"},
    "model_access_denied": {"query": "[[deny]]"},
    "deadline_exceeded": {"query": "[[hang]]"},
}
"""For each error code, what is changed in a good request to cause it."""


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    """The stack with every option that changes the document, and an agent that can fail."""
    source = tmp_path_factory.mktemp("agent") / "src"
    shutil.copytree(EXAMPLE_AGENT, source, ignore=shutil.ignore_patterns("__pycache__"))
    (source / "agent.py").rename(source / "example_agent.py")
    shutil.copy(SOURCES / "faulty_agent.py", source / "agent.py")
    context = {"auth": "jwt", "streaming": "true", "sessions": "true", "timeout_s": "10"}
    with ExampleControlPlane(agent_source=source) as plane:
        plane.bootstrap()
        with LocalCloud(context, control_plane=plane, log=lambda _: None) as cloud:
            yield cloud


@pytest.fixture(scope="module")
def document(cloud, tmp_path_factory):
    """The file of the served document."""
    headers = {"authorization": f"Bearer {cloud.openid.token('alice')}"}
    served = httpx.get(f"{cloud.url}openapi.json", headers=headers, timeout=60, trust_env=False)
    path = tmp_path_factory.mktemp("document") / "openapi.json"
    path.write_bytes(served.raise_for_status().content)
    return path


def call(command, cloud, folder):
    """Run a program that calls the URL, while the session `full` is too long and another run is in `busy`."""
    token = cloud.openid.token("alice")
    told = {"url": cloud.url, "token": token, "errors": ERRORS}
    with httpx.Client(headers={"authorization": f"Bearer {token}"}, timeout=60, trust_env=False) as client:
        client.post(cloud.url, json=FULL)
        waiting = threading.Thread(target=client.post, args=(cloud.url,), kwargs={"json": BUSY})
        before = len(cloud.bedrock.requests)
        waiting.start()
        while len(cloud.bedrock.requests) == before:
            time.sleep(0.01)
        ran = subprocess.run(
            command, input=json.dumps(told), check=False, cwd=folder, capture_output=True, text=True
        )
        waiting.join()
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return json.loads(ran.stdout)


def check(got):
    assert got["errors"] == {code: code for code in STATUS}
    assert all("42" in response for response in got["responses"])
    assert got["tokens"] > 0
    assert got["accepted"]
    assert got["healthy"]


def succeed(*command, cwd):
    ran = subprocess.run([*map(str, command)], check=False, cwd=cwd, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_a_python_client(cloud, document, tmp_path):
    python = python_of("clients")
    generator = python.with_name("openapi-python-client")
    options = ("--meta", "none", "--fail-on-warning", "--output-path", "agent_client")
    config = tmp_path / "generator.json"
    config.write_text(json.dumps({"post_hooks": []}))
    succeed(generator, "generate", "--path", document, "--config", config, *options, cwd=tmp_path)
    shutil.copy(SOURCES / "call_generated.py", tmp_path)
    succeed(python, "-m", "mypy", "--strict", "agent_client", "call_generated.py", cwd=tmp_path)
    check(call([python, "call_generated.py"], cloud, tmp_path))


def test_a_typescript_client(cloud, document, tmp_path):
    made = node.run("openapi-typescript/bin/cli.js", document, "-o", "agent_api.d.ts", cwd=tmp_path)
    assert made.returncode == 0, made.stdout + made.stderr
    shutil.copy(SOURCES / "call_generated.ts", tmp_path)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    node.link(tmp_path)
    options = ("--strict", "--module", "nodenext", "--target", "es2022", "--types", "node")
    compiled = node.run("typescript/bin/tsc", *options, "call_generated.ts", cwd=tmp_path)
    assert compiled.returncode == 0, compiled.stdout
    check(call([node.NODE, "call_generated.js"], cloud, tmp_path))
