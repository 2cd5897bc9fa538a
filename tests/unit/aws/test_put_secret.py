"""The keys go to Secrets Manager, and nowhere else."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tools.aws import put_secret
from tools.command import Failure

KEYS = {"LANGFUSE_PUBLIC_KEY": "pk-lf-1", "LANGFUSE_SECRET_KEY": "sk-lf-1"}


class Secrets:
    """Secrets Manager, with one secret or none."""

    def __init__(self, value: str | None = None, refuses: str | None = None) -> None:
        self.value = value
        self.refuses = refuses
        self.written = 0

    def get_secret_value(self, **asked: str) -> dict[str, Any]:
        if self.refuses or self.value is None:
            code = self.refuses or "ResourceNotFoundException"
            raise ClientError({"Error": {"Code": code}}, "GetSecretValue")
        return {"ARN": f"arn:{asked['SecretId']}", "SecretString": self.value}

    def create_secret(self, **asked: str) -> dict[str, Any]:
        self.value = asked["SecretString"]
        self.written += 1
        return {"ARN": f"arn:{asked['Name']}"}

    def put_secret_value(self, **asked: str) -> None:
        self.value = asked["SecretString"]
        self.written += 1


def test_a_secret_is_created() -> None:
    secrets = Secrets()

    assert put_secret.put(secrets, "langfuse", KEYS) == ("arn:langfuse", "Created")
    assert json.loads(secrets.value or "") == KEYS


def test_a_secret_is_updated() -> None:
    secrets = Secrets("{}")

    assert put_secret.put(secrets, "langfuse", KEYS) == ("arn:langfuse", "Updated")
    assert json.loads(secrets.value or "") == KEYS


def test_the_same_keys_are_not_written_twice() -> None:
    secrets = Secrets()
    put_secret.put(secrets, "langfuse", KEYS)
    put_secret.put(secrets, "langfuse", KEYS)

    assert secrets.written == 1


def test_other_fields_of_the_secret_are_kept() -> None:
    secrets = Secrets(json.dumps({"OPENAI_API_KEY": "sk-o", "LANGFUSE_PUBLIC_KEY": "old"}))

    assert put_secret.put(secrets, "shared", KEYS) == ("arn:shared", "Updated")
    assert json.loads(secrets.value or "") == {"OPENAI_API_KEY": "sk-o", **KEYS}
    assert put_secret.put(secrets, "shared", KEYS) == ("arn:shared", "Unchanged:")


@pytest.mark.parametrize("value", ["a password", "[]", '"x"', ""])
def test_a_secret_that_contains_something_else_is_not_overwritten(value: str) -> None:
    secrets = Secrets(value)

    with pytest.raises(Failure, match="the secret database contains no JSON object") as failure:
        put_secret.put(secrets, "database", KEYS)
    assert (secrets.value, secrets.written) == (value, 0)
    assert "password" not in str(failure.value)


def test_ctrl_d_at_the_prompt_is_an_empty_answer() -> None:
    def prompt(_text: str) -> str:
        raise EOFError

    with pytest.raises(Failure, match="LANGFUSE_PUBLIC_KEY is empty"):
        put_secret.complete({}, prompt, lambda: True)


def test_an_error_of_the_service_is_one_line_without_the_keys() -> None:
    with pytest.raises(Failure) as failure:
        put_secret.put(Secrets(refuses="AccessDeniedException"), "langfuse", KEYS)

    assert "the secret langfuse was not written" in str(failure.value)
    assert "sk-lf" not in str(failure.value)


def test_the_prompt_asks_for_missing_keys_only() -> None:
    prompts: list[str] = []

    def prompt(text: str) -> str:
        prompts.append(text)
        return " sk-typed "

    keys = put_secret.complete({"LANGFUSE_PUBLIC_KEY": "pk"}, prompt, lambda: True)

    assert keys == {"LANGFUSE_PUBLIC_KEY": "pk", "LANGFUSE_SECRET_KEY": "sk-typed"}
    assert prompts == ["LANGFUSE_SECRET_KEY: "]


def test_without_a_terminal_the_missing_key_is_named() -> None:
    with pytest.raises(Failure, match="LANGFUSE_SECRET_KEY not set: put them into the environment"):
        put_secret.complete({"LANGFUSE_PUBLIC_KEY": "pk"}, input, lambda: False)


def test_an_empty_answer_is_rejected() -> None:
    with pytest.raises(Failure, match="LANGFUSE_PUBLIC_KEY is empty"):
        put_secret.complete({}, lambda _: "", lambda: True)
