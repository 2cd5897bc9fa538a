"""The environment is completed by `.env`."""

from pathlib import Path

import pytest

from tools import user_environment
from tools.aws import put_secret
from tools.command import Failure


def test_the_environment_has_priority_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("LANGFUSE_PUBLIC_KEY=pk-file\nLANGFUSE_SECRET_KEY='sk-file'\nOTHER=x\n")

    environ = user_environment.read(
        {"LANGFUSE_PUBLIC_KEY": "pk-environment", "LANGFUSE_SECRET_KEY": ""}, file
    )

    assert put_secret.given(environ) == {
        "LANGFUSE_PUBLIC_KEY": "pk-environment",
        "LANGFUSE_SECRET_KEY": "sk-file",
    }


def test_the_file_sets_langfuse_variables_and_none_of_aws(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("LANGFUSE_BASE_URL=https://eu.example.com\nLANGFUSE_RELEASE=1\nAWS_PROFILE=x\n")

    environ = user_environment.read({"PATH": "/bin", "LANGFUSE_RELEASE": "2"}, file)

    assert environ == {
        "PATH": "/bin",
        "LANGFUSE_RELEASE": "2",
        "LANGFUSE_BASE_URL": "https://eu.example.com",
    }


def test_without_a_file_it_is_the_environment(tmp_path: Path) -> None:
    assert user_environment.read({"PATH": "/bin"}, tmp_path / ".env") == {"PATH": "/bin"}


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "latin-1"])
def test_a_file_in_another_encoding_is_one_line(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / ".env"
    file.write_text("LANGFUSE_RELEASE=für-alle\n", encoding=encoding)

    with pytest.raises(
        Failure, match=r"^\.env cannot be read as UTF-8 text: save it with the encoding UTF-8$"
    ):
        user_environment.read({}, file)


def test_a_byte_order_mark_is_ignored(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("LANGFUSE_RELEASE=1\n", encoding="utf-8-sig")

    assert user_environment.read({}, file) == {"LANGFUSE_RELEASE": "1"}
