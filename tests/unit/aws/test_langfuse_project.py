"""Langfuse is checked before a deployment; its faults are warnings, and the keys are never shown."""

import json
from collections.abc import Iterator

import pytest

from tools.aws import deploy, langfuse_project, put_secret, status
from tools.aws.account import Account
from tools.aws.arguments import Target
from tools.local.fakes.langfuse_records import PROJECT_ID
from tools.local.fakes.langfuse_server import FakeLangfuse
from tools.local.http.server import LOOPBACK, HttpServer, free_port

KEYS = ("pk-lf-canary", "sk-lf-canary")
VALUES = dict(zip(put_secret.KEYS, KEYS, strict=True))


class FakeAccount(Account):
    def __init__(self, aws) -> None:
        object.__setattr__(self, "client", aws)


@pytest.fixture(scope="module")
def server() -> Iterator[FakeLangfuse]:
    with FakeLangfuse(public_key=KEYS[0], secret_key=KEYS[1]) as langfuse:
        yield langfuse


@pytest.fixture
def langfuse(server: FakeLangfuse) -> Iterator[FakeLangfuse]:
    yield server
    server.api_faults.inject("ok")
    server.records.version = "4.59.0"


@pytest.fixture
def target(langfuse: FakeLangfuse, make_plan, tmp_path):
    """Makes the target of a deploy; `aws` answers the requests to AWS."""

    def make(aws, **options) -> Target:
        plan = make_plan(**{"langfuse_host": langfuse.url, **options})
        return Target(plan, FakeAccount(aws), tmp_path)

    return make


def test_the_project_of_the_keys_is_found(langfuse: FakeLangfuse) -> None:
    assert langfuse_project.check(langfuse.url, *KEYS) == langfuse_project.Report(PROJECT_ID)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("unauthorized", "rejects the Langfuse keys"),
        ("unavailable", "answered 503"),
        ("internal", "answered 500"),
        ("html", "a page of HTML"),
        ("close", "cannot be reached"),
        ("hang", "no complete response within 0.5 s"),
        ("drip", "no complete response within 0.5 s"),
    ],
)
def test_a_server_that_fails_is_one_warning_with_a_remedy(
    langfuse: FakeLangfuse, fault: str, message: str
) -> None:
    langfuse.api_faults.inject(fault)
    report = langfuse_project.check(langfuse.url, *KEYS, timeout_s=0.5)
    (warning,) = report.warnings

    assert report.project_id == ""
    assert message in warning
    assert "langfuse_host" in warning
    assert "\n" not in warning
    assert "canary" not in warning


def test_a_server_that_is_down_is_a_warning() -> None:
    (warning,) = langfuse_project.check(f"http://{LOOPBACK}:{free_port()}", *KEYS).warnings

    assert "Langfuse was not checked" in warning
    assert "Check the network" in warning


@pytest.mark.parametrize("body", [b'{"data": []}', b'{"data": [{"id": "a/b"}]}', b"[]", b'{"data": 1}'])
def test_another_server_is_a_warning(body: bytes) -> None:
    with HttpServer(lambda exchange: exchange.answer(200, body)) as other:
        report = langfuse_project.check(other.url, *KEYS)

    assert report.project_id == ""
    assert "did not answer as Langfuse does" in report.warnings[0]


def test_a_server_that_repeats_the_keys_does_not_get_them_shown() -> None:
    def repeat(exchange) -> None:
        said = f"{exchange.headers['authorization']} {' '.join(KEYS)}"
        exchange.answer(500, json.dumps({"message": said}).encode())

    with HttpServer(repeat) as server:
        (warning,) = langfuse_project.check(server.url, *KEYS).warnings

    assert "***" in warning
    assert "canary" not in warning
    assert "cGstbGYtY2FuYXJ5" not in warning  # the beginning of the keys in base64


@pytest.mark.parametrize("version", ["4.16.0", "3.152.1", "4.58"])
def test_an_old_server_is_a_warning(langfuse: FakeLangfuse, version: str) -> None:
    langfuse.records.version = version
    report = langfuse_project.check(langfuse.url, *KEYS)

    assert report.project_id == PROJECT_ID
    assert f"is Langfuse {version}, which rejects feedback and scores" in report.warnings[0]


@pytest.mark.parametrize("version", ["4.59.0", "4.100.2", "v5.0.0", "", "unknown"])
def test_a_current_or_unknown_version_is_no_warning(langfuse: FakeLangfuse, version: str) -> None:
    langfuse.records.version = version

    assert langfuse_project.check(langfuse.url, *KEYS).warnings == ()


def test_a_deploy_passes_the_project_to_the_stack(fake_aws, target, capsys) -> None:
    arguments = deploy.context(target(fake_aws()), VALUES, default_secret=True)

    assert arguments == ["-c", f"langfuse_project={PROJECT_ID}", "-c", "default_secret=true"]
    assert capsys.readouterr().err == ""


def test_a_deploy_uses_the_keys_of_the_secret_that_the_function_reads(fake_aws, target, langfuse) -> None:
    aws = fake_aws(get_secret_value={"SecretString": json.dumps(VALUES)})
    other = dict.fromkeys(VALUES, "other")

    assert deploy.context(target(aws, langfuse_secret="mine"), other, default_secret=False) == [
        "-c",
        f"langfuse_project={PROJECT_ID}",
    ]
    assert aws.arguments["get_secret_value"] == {"SecretId": "mine"}


@pytest.mark.parametrize("answer", ["AccessDeniedException", {"SecretString": "[1]"}, {"SecretString": "x"}])
def test_keys_that_cannot_be_read_are_a_warning(fake_aws, target, capsys, answer) -> None:
    aws = fake_aws(get_secret_value=answer, describe_stacks="ValidationError")

    assert deploy.context(target(aws, langfuse_secret="mine"), {}, default_secret=False) == []
    assert "the secret has no keys that these AWS credentials can read" in capsys.readouterr().err


def test_a_function_without_langfuse_is_not_checked(fake_aws, target, langfuse) -> None:
    before = len(langfuse.api_requests)
    plan = target(fake_aws(), otlp_endpoint="https://traces.example.com")

    assert deploy.context(plan, VALUES, default_secret=False) == []
    assert len(langfuse.api_requests) == before


def test_a_server_that_is_down_leaves_the_deployed_project(
    fake_aws, target, stack_of, langfuse, capsys
) -> None:
    langfuse.api_faults.inject("unavailable")
    options = {"langfuse_project": "p1", "langfuse_host": langfuse.url}
    aws = fake_aws(
        describe_stacks={"Stacks": [stack_of()]},
        get_template={"TemplateBody": {"Metadata": {"TracedAgent": {"options": options}}}},
    )

    assert "langfuse_project=p1" in deploy.context(target(aws), VALUES, default_secret=True)
    assert "warning: Langfuse was not checked" in capsys.readouterr().err
    elsewhere = target(aws, langfuse_host=f"http://{LOOPBACK}:{free_port()}")
    assert deploy.context(elsewhere, VALUES, default_secret=True) == ["-c", "default_secret=true"]


def test_a_project_in_the_options_is_kept_and_compared(fake_aws, target, capsys) -> None:
    kept = deploy.context(target(fake_aws(), langfuse_project="other"), VALUES, default_secret=True)

    assert kept == ["-c", "default_secret=true"]
    assert f"the keys belong to the project {PROJECT_ID}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("deployed", "new", "project"),
    [
        ({"langfuse_host": "a", "langfuse_project": "p1"}, {"langfuse_host": "a"}, "p1"),
        ({"langfuse_host": "a", "langfuse_project": "p1"}, {"langfuse_host": "b"}, ""),
        (
            {"langfuse_host": "a", "langfuse_project": "p1"},
            {"langfuse_host": "a", "langfuse_project": "p2"},
            "p2",
        ),
        ({}, {"langfuse_host": "a"}, ""),
    ],
)
def test_the_status_shows_no_change_of_a_project_that_deploy_found(deployed, new, project: str) -> None:
    assert status.expected(deployed, new)["langfuse_project"] == project
