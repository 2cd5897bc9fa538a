"""The cache folder belongs to its user, and a folder that cannot be made is one line."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tools import cache
from tools.command import Failure

pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX modes")


@pytest.fixture
def cache_folder(tmp_path, monkeypatch):
    folder = tmp_path / "home" / "cache"
    monkeypatch.setattr(cache, "CACHE", folder)
    return folder


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_the_cache_is_only_for_its_user(cache_folder):
    cache.write(cache_folder / "wheels" / "file", b"data")
    assert mode(cache_folder) == 0o700


def test_a_cache_that_others_can_write_to_is_closed(cache_folder):
    cache_folder.mkdir(parents=True)
    cache_folder.chmod(0o777)
    cache.make_folder(cache_folder / "wheels")
    assert mode(cache_folder) == 0o700


def test_other_folders_keep_their_mode(cache_folder, tmp_path):
    other = tmp_path / "layers"
    other.mkdir(mode=0o755)
    cache.write(other / "build" / "layer.zip", b"data")
    assert mode(other) == 0o755


def test_a_home_that_cannot_be_written_to_is_one_line(cache_folder, tmp_path):
    (tmp_path / "home").write_text("a file")
    with pytest.raises(Failure, match=r"^\S+ cannot be created \(.+\): make it writable, or set XDG_CACHE_"):
        cache.make_folder(cache_folder / "wheels")


NO_HOME = """
import pwd
from unittest import mock

with mock.patch.object(pwd, "getpwuid", side_effect=KeyError):
    from tools import cache
    try:
        cache.make_folder(cache.CACHE / "wheels")
    except cache.Failure as failure:
        print(failure)
"""


def test_a_user_without_a_home_folder_gets_one_line(tmp_path):
    variables = {name: value for name, value in os.environ.items() if name not in ("HOME", "XDG_CACHE_HOME")}
    variables["PYTHONPATH"] = str(Path(__file__).parents[2])
    command = [sys.executable, "-c", NO_HOME]
    ran = subprocess.run(
        command, check=True, capture_output=True, encoding="utf-8", cwd=tmp_path, env=variables
    )
    assert "(this user has no home folder): set HOME, or XDG_CACHE_HOME and" in ran.stdout
    assert list(tmp_path.iterdir()) == []
