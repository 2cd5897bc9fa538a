"""A deploy shows what it changes, and asks before it widens access or deletes data."""

import pytest
from rich.console import Console

from tools.aws import changes
from tools.command import Failure

DEPLOYED = {
    "auth": "iam",
    "cors_origins": ["https://a.example.com"],
    "sessions": True,
    "retain": False,
    "log_retention_days": 30,
    "snapstart": False,
    "memory_mb": 1024,
}


def change(**options):
    return changes.compare(DEPLOYED, {**DEPLOYED, **options})


def confirm(found, *, answer="n", interactive=True, in_cdk_json=()):
    asked: list[str] = []

    def prompt(question: str) -> str:
        asked.append(question)
        return answer

    changes.confirm(found, stack="my-agent", in_cdk_json=in_cdk_json, prompt=prompt, interactive=interactive)
    return asked


def test_the_same_options_are_no_change() -> None:
    assert change() == []


@pytest.mark.parametrize(
    ("options", "consequence"),
    [
        ({"auth": "none"}, "everyone can call the URL"),
        ({"auth": "jwt"}, "callers need no AWS credentials"),
        ({"cors_origins": ["https://a.example.com", "https://b.example.com"]}, "more web pages"),
        ({"cors_origins": ["*"]}, "more web pages"),
        ({"sessions": False}, "all conversations are deleted"),
        ({"log_retention_days": 7}, "logs older than 7 days are deleted"),
        ({"snapstart": True}, "the Function URL is replaced"),
    ],
)
def test_a_change_that_widens_access_or_deletes_data_needs_a_yes(options, consequence: str) -> None:
    found = change(**options)

    assert consequence in found[0].consequence
    with pytest.raises(Failure, match="nothing was deployed: to keep the deployed values, pass -c"):
        confirm(found, answer="n")
    assert confirm(found, answer="y")


@pytest.mark.parametrize(
    "options",
    [
        {"memory_mb": 2048},
        {"cors_origins": []},
        {"log_retention_days": 90},
        {"sessions": False, "retain": True},
        {"model_id": "us.another.model"},
    ],
)
def test_other_changes_need_no_confirmation(options) -> None:
    assert confirm(change(**options)) == []


def test_access_that_becomes_narrower_needs_no_confirmation() -> None:
    assert confirm(changes.compare({"auth": "none"}, {"auth": "iam"})) == []


def test_a_key_in_cdk_json_is_a_confirmation() -> None:
    assert confirm(change(auth="none"), in_cdk_json=["auth"]) == []
    with pytest.raises(Failure):
        confirm(change(auth="none", sessions=False), in_cdk_json=["auth"])


def test_without_a_terminal_the_change_is_rejected_in_one_line() -> None:
    with pytest.raises(Failure, match="not an interactive terminal: pass --yes") as rejected:
        confirm(change(auth="none", sessions=False), interactive=False)

    message = str(rejected.value)
    assert "auth from iam to none (everyone can call the URL)" in message
    assert "-c auth=iam -c sessions=true" in message
    assert "\n" not in message


def test_the_table_shows_deployed_and_new_values(capsys) -> None:
    Console(width=120).print(changes.table(change(auth="none", memory_mb=2048)))

    shown = capsys.readouterr().out
    for word in ("option", "deployed", "new", "auth", "iam", "none", "memory_mb", "1024", "2048"):
        assert word in shown
