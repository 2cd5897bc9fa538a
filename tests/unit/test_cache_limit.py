"""The cache stays below its limit: the entries that were used least recently are deleted."""

import fcntl
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tools import cache_limit

NOW = int(time.time())
HOLD = """
import sys
from pathlib import Path
from tools import cache_limit

print(cache_limit.hold(Path(sys.argv[1])), flush=True)
sys.stdin.read()
"""


def add(folder, name, *, size, hours_ago):
    """An entry with one file; folders are named with a slash at the end."""
    path = folder / name
    file = path / "file" if name.endswith("/") else path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(bytes(size))
    for changed in {file, path}:
        os.utime(changed, (NOW, NOW - hours_ago * 3600))
    return path


def trim(folder, limit):
    return cache_limit.trim(folder, limit=limit, now=NOW)


def test_below_the_limit_nothing_is_deleted(tmp_path):
    entry = add(tmp_path, "wheels/python3.13/aa/", size=100, hours_ago=900)
    assert trim(tmp_path, 100) == 0
    assert entry.exists()


def test_the_least_recently_used_entries_are_deleted_until_the_rest_fits(tmp_path):
    kept = [
        add(tmp_path, "wheels/python3.13/aa/", size=100, hours_ago=2),
        add(tmp_path, "compiled/0123/bb", size=100, hours_ago=3),
    ]
    old = [
        add(tmp_path, "layer-trees/cc/", size=100, hours_ago=5),
        add(tmp_path, "compiled/0123/dd", size=100, hours_ago=4),
        add(tmp_path, "opt/", size=100, hours_ago=9),
    ]
    assert trim(tmp_path, 250) == 300
    assert all(path.exists() for path in kept)
    assert not any(path.exists() for path in old)


def test_unpacked_layers_are_deleted_before_older_wheels(tmp_path):
    wheel = add(tmp_path, "wheels/python3.13/aa/", size=100, hours_ago=99)
    tree = add(tmp_path, "layer-trees/bb/", size=100, hours_ago=0)
    assert trim(tmp_path, 100) == 100
    assert wheel.exists()
    assert not tree.exists()


def test_an_entry_that_is_used_becomes_the_newest(tmp_path):
    first = add(tmp_path, "compiled/0123/aa", size=100, hours_ago=9)
    second = add(tmp_path, "compiled/0123/bb", size=100, hours_ago=5)
    cache_limit.mark_used(first)
    assert cache_limit.trim(tmp_path, limit=100) == 100
    assert first.exists()
    assert not second.exists()


def test_what_was_used_in_the_last_minutes_is_kept(tmp_path):
    entry = add(tmp_path, "wheels/python3.13/aa/", size=100, hours_ago=0)
    assert trim(tmp_path, 1) == 0
    assert entry.exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows does not delete a folder with open files")
def test_a_layer_tree_that_a_process_runs_from_is_kept_until_it_ends(tmp_path):
    tree = add(tmp_path, "layer-trees/aa/", size=100, hours_ago=9)
    command = [sys.executable, "-c", HOLD, str(tree)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
    ) as process:
        assert process.stdout.readline() == "True\n"
        os.utime(tree, (NOW, NOW - 9 * 3600))
        assert trim(tmp_path, 1) == 0
        assert tree.exists()
        process.stdin.close()
    assert trim(tmp_path, 1) == 100
    assert not tree.exists()


def test_a_deleted_folder_cannot_be_held(tmp_path):
    assert not cache_limit.hold(tmp_path / "layer-trees" / "gone")


def test_a_folder_that_is_made_again_while_its_deletion_is_awaited_is_not_held(tmp_path):
    folder = tmp_path / "layer-trees" / "aa"
    folder.mkdir(parents=True)
    deletion = os.open(folder, os.O_RDONLY)
    fcntl.flock(deletion, fcntl.LOCK_EX)
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(cache_limit.hold, folder)
        while not held.done() and not any(
            f":{os.fstat(deletion).st_ino} " in line for line in waiting_locks()
        ):
            time.sleep(0.01)
        folder.rename(tmp_path / "deleted")
        folder.mkdir()
        os.close(deletion)
        assert held.result() is False


def waiting_locks():
    return [line for line in Path("/proc/locks").read_text().splitlines() if "->" in line]


def test_the_rest_of_an_interrupted_deletion_is_deleted(tmp_path):
    rest = add(tmp_path, "layer-trees/.deleted-aa/", size=100, hours_ago=0)
    assert trim(tmp_path, 1) == 100
    assert not rest.exists()


def test_without_a_cache_nothing_is_deleted(tmp_path):
    assert trim(tmp_path / "none", 1) == 0
