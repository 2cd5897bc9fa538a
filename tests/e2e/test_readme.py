"""The README's commands, in its order and exactly as written, run from a folder inside the checkout."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import tomllib
from pathlib import Path

import httpx
import pytest

from tools.local.control_plane.server import CREDENTIALS
from tools.local.fakes.langfuse_records import PROJECT_ID
from tools.local.fakes.langfuse_server import FakeLangfuse

ROOT = Path(__file__).parents[2]
INSIDE = ROOT / "docs"
README = (ROOT / "README.md").read_text("utf-8")
FIRST_SCREEN = README.split("\n## ")[0]
CLONE = re.search(r"^ {4}(git clone (\S+) && cd (\S+))$", README, re.MULTILINE)


def words_of(line):
    """A command as a shell reads it, without its comment."""
    return shlex.join(shlex.split(line, comments=True))


EXAMPLE = re.search(r"^```\n(\{.+?)^```", README, re.MULTILINE | re.DOTALL)[1]
COMMANDS = [words_of(line) for line in re.findall(r"^ {4}(\S.+)$", README.replace(EXAMPLE, ""), re.MULTILINE)]
QUESTION = "What is 2+2?"
BODY = '{"query": "What is 2+2?"}'
ANSWER = "The answer is 4."
PUBLIC_KEY, SECRET_KEY = "LANGFUSE_PUBLIC_KEY", "LANGFUSE_SECRET_KEY"
KEYS = {PUBLIC_KEY: "pk-lf-readme", SECRET_KEY: "sk-lf-canary-of-the-readme"}


def run(*words, typed="", environ=KEYS):
    """Run a command to its end; its standard output."""
    return run_both(*words, typed=typed, environ=environ)[0]


def run_both(*words, typed="", environ=KEYS):
    """Run a command to its end; its standard output and standard error."""
    ran = subprocess.run(
        words,
        check=False,
        capture_output=True,
        encoding="utf-8",
        input=typed,
        cwd=INSIDE,
        env={**os.environ, **environ},
        timeout=240,
    )
    said = ran.stdout + ran.stderr
    assert ran.returncode == 0, said
    assert KEYS[SECRET_KEY] not in said
    return ran.stdout, ran.stderr


@pytest.fixture(scope="module")
def on_aws(control_plane):
    """Runs a command with the control plane for AWS, and with the keys of a fake Langfuse."""
    with FakeLangfuse(public_key=KEYS[PUBLIC_KEY], secret_key=KEYS[SECRET_KEY]) as langfuse:
        aws = {
            **CREDENTIALS,
            "AWS_ENDPOINT_URL": control_plane.url,
            "LANGFUSE_HOST": langfuse.url,
            **KEYS,
        }
        yield lambda *words, typed="": run(*words, typed=typed, environ=aws)


@pytest.fixture(scope="module")
def served_url():
    """What `hatch run local` prints; Ctrl-C ends it, and everything with it."""
    with subprocess.Popen(
        ["hatch", "run", "local"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        cwd=INSIDE,
        start_new_session=True,
    ) as local:
        said = []
        while not (url := re.match(r"Function URL: (http://127\.0\.0\.1:\d+/)$", "".join(said[-1:]))):
            said.append(local.stdout.readline())
            assert said[-1], said
        threading.Thread(target=local.stdout.read, daemon=True).start()
        yield url[1]
        os.killpg(local.pid, signal.SIGINT)
        local.wait(60)
    with pytest.raises(httpx.TransportError):
        httpx.get(url[1])


def observations(output):
    """The names of a trace's observations, in the order in which they are shown."""
    return re.findall(r"[├└]─ [A-Z]+ (\w[\w ]*?) {2,}", output)


def clones(request):
    folder = request.getfixturevalue("tmp_path") / CLONE[3]
    run("git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(folder), environ={})
    project = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["name"] == CLONE[3] == CLONE[2].rpartition("/")[2]


def installs(request):
    run(sys.executable, "-m", "pip", "install", "hatch", environ={})


def demonstrates(request):
    printed, log = run_both("hatch", "run", "demo", environ={})
    answer = json.loads(printed)
    assert answer["response"] == "The answer is 84."
    assert "\n  " in printed
    assert "execute_tool calculator" in log
    assert answer["trace_id"] in log
    assert observations(EXAMPLE) == observations(log)
    assert "fake model" in log
    assert "hatch run demo --bedrock" in log
    assert '"_aws"' not in log
    assert "\033[" not in printed + log
    assert set(re.findall(r'^  "(\w+)": ', EXAMPLE, re.MULTILINE)) <= answer.keys()


def is_tested(request):
    one_file = str(ROOT / "tests" / "unit" / "test_pages.py")  # all tests are running already
    assert " passed" in run("hatch", "run", "test", one_file, environ={})


def serves(request):
    assert httpx.get(f"{request.getfixturevalue('served_url')}ping", timeout=60).json()["status"] == "Healthy"


def curls(request):
    url = request.getfixturevalue("served_url")
    body = run("curl", "-s", "-H", "Content-Type: application/json", "-d", BODY, url)
    assert json.loads(body)["response"] == ANSWER


def puts_the_secret(request):
    printed = request.getfixturevalue("on_aws")("hatch", "run", "put-secret")
    assert f"The keys belong to the Langfuse project {PROJECT_ID}" in printed
    secrets = request.getfixturevalue("control_plane").client("secretsmanager")
    secret = secrets.get_secret_value(SecretId="strands-langfuse-lambda/langfuse")
    assert json.loads(secret["SecretString"]) == KEYS


def deploys(request):
    said = request.getfixturevalue("on_aws")("hatch", "run", "deploy")
    assert re.search(r"^Function URL: https://\S+$", said, re.MULTILINE)
    assert re.search(r"^curl https://\S+ ", said, re.MULTILINE)
    functions = request.getfixturevalue("control_plane").client("lambda").list_functions()["Functions"]
    assert functions[0]["Environment"]["Variables"]["LANGFUSE_PROJECT_ID"] == PROJECT_ID


def invokes(request):
    # The URL that the control plane tells is one of AWS's, where nobody answers.
    url = request.getfixturevalue("cloud").url
    assert run("hatch", "run", "invoke", QUESTION, "--url", url).strip() == ANSWER


def destroys(request):
    request.getfixturevalue("on_aws")("hatch", "run", "destroy", typed="y\n")
    functions = request.getfixturevalue("control_plane").client("lambda").list_functions()
    assert functions["Functions"] == []


TRIED = {
    words_of(CLONE[1]): clones,
    "pip install hatch": installs,
    "hatch run demo": demonstrates,
    "hatch run local": serves,
    shlex.join(
        ["curl", "-H", "Content-Type: application/json", "-d", BODY, "http://127.0.0.1:<port>/"]
    ): curls,
    "hatch run put-secret": puts_the_secret,
    "hatch run deploy": deploys,
    f"hatch run invoke '{QUESTION}'": invokes,
    "hatch run destroy": destroys,
    "hatch run test": is_tested,
}


def test_every_command_of_the_readme_is_executed():
    assert list(TRIED) == COMMANDS


def test_the_first_screen_shows_the_commands_their_output_and_the_page():
    for part in ("git clone", "hatch run demo", "minute", "hatch run local", EXAMPLE):
        assert part in FIRST_SCREEN
    [picture] = re.findall(r"!\[.+?\]\((.+?)\)", FIRST_SCREEN)
    assert (ROOT / picture).stat().st_size < 150_000


@pytest.mark.parametrize("command", TRIED)
def test_a_command_of_the_readme_works_as_described(command, request):
    TRIED[command](request)
