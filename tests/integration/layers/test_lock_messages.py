"""What cannot be locked is one line that says why, and what to do."""

import contextlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tools import wheels
from tools.build_layers.locking import joint_lock
from tools.command import Failure
from tools.local.http.server import HttpServer
from tools.wheels import read_lock

REPOSITORY = Path(__file__).parents[3]


def pinned(text):
    return [f"{pin.name}=={pin.version}" for pin in read_lock(text).values()]


@pytest.fixture
def lock_one(index, make_stack):
    """Locks one layer with these requirements, and checks the lock."""

    def lock(requirements):
        stack = make_stack(strands=requirements)
        (text,) = joint_lock.lock(stack)
        joint_lock.write(stack[0], text)
        joint_lock.check(stack)
        return text

    return lock


def test_packages_that_pip_compile_calls_unsafe_are_locked(index, lock_one):
    index.add("setuptools", "80.0")
    index.add("tools", "1.0", requires=["setuptools"])
    assert pinned(lock_one("tools>=1.0")) == ["tools==1.0", "setuptools==80.0"]


def test_a_marker_that_holds_is_locked_without_it(index, lock_one):
    index.add("humanize", "4.15.0")
    text = lock_one('humanize>=4.12; python_version >= "3.8"')
    assert text.startswith("humanize==4.15.0 \\\n")


def test_a_requirement_for_another_system_is_not_missing(index, lock_one):
    index.add("agent", "1.0")
    index.add("pywin32", "306")
    assert pinned(lock_one('agent>=1.0\npywin32>=306; sys_platform == "win32"')) == ["agent==1.0"]


def test_an_invalid_requires_python_on_the_index_is_locked(index, lock_one):
    index.add("old", "1.0", python=">=3.6.*")
    assert pinned(lock_one("old>=1.0")) == ["old==1.0"]


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("agent<2", "needs a lower bound"),
        ("agent[extra]<0.5,!=0.3", "needs a lower bound"),
        ("agent===1.0", "needs a lower bound"),
        ("agent===weird", "needs a lower bound"),
        ('agent!=1.0; python_version > "3.8"', "needs a lower bound"),
        ("agent @ https://example.com/agent-1.0-py3-none-any.whl#sha256=00", "is a direct address"),
    ],
)
def test_the_remedy_for_a_requirement_is_itself_a_valid_one(make_stack, entry, reason):
    stack = make_stack(strands=entry)
    with pytest.raises(Failure, match=reason) as failure:
        joint_lock.lock(stack)
    remedy = re.search(r"`([^`]+)`$", str(failure.value))[1]
    requirement = Requirement(remedy)
    assert requirement.name == "agent"
    stack[0].requirements.write_text(remedy + "\n")
    assert [str(entry) for entry in joint_lock.requirements.read(stack[0])] == [str(requirement)]


def test_a_package_that_only_has_a_source_distribution_is_reported_as_such(index, lock_one):
    index.add_sdist("sources", "1.0")
    with pytest.raises(Failure, match=r"no wheel of sources>=1.0 for .* \(it has only source distributions"):
        lock_one("sources>=1.0")


def test_a_package_for_other_pythons_is_reported_as_such(index, lock_one):
    index.add("old", "1.0", tag="cp311-cp311-manylinux2014_x86_64")
    with pytest.raises(Failure, match=r"\(it has wheels for cp311-manylinux2014_x86_64 only\): require a"):
        lock_one("old>=1.0")


def test_a_package_that_does_not_exist_and_a_version_that_does_not_are_reported_as_such(index, lock_one):
    with pytest.raises(Failure, match=r"no wheel of nothing>=1.0 .* \(it has no package of this name\)"):
        lock_one("nothing>=1.0")
    index.add("agent", "1.0")
    with pytest.raises(Failure, match=r"\(no release satisfies it: the newest is 1.0\)"):
        lock_one("agent>=2.0")


def test_both_sides_of_a_conflict_are_named(index, lock_one):
    index.add("protobuf", "4.5")
    index.add("protobuf", "6.1")
    index.add("proto", "1.45", requires=["protobuf>=5"])
    with pytest.raises(
        Failure, match=r"proto 1.45 needs protobuf>=5, but requirements.in has protobuf<5,>=4:"
    ):
        lock_one("proto>=1.45\nprotobuf>=4,<5")


@pytest.mark.parametrize("status", [401, 403])
def test_an_index_that_denies_access_is_not_an_index_without_the_wheel(
    make_stack, tmp_path, index, monkeypatch, status
):
    with HttpServer(lambda exchange: exchange.answer(status)) as server:
        monkeypatch.setenv("PIP_INDEX_URL", server.url.replace("://", "://user:secret@"))
        denied = rf"^the package index denies access \({status}\): check the user name and password [^\n]+$"
        with pytest.raises(Failure, match=denied) as failure:
            joint_lock.lock(make_stack(strands="agent>=1.0"))
        assert "secret" not in str(failure.value)
        index.add("agent", "1.0")
        lock = tmp_path / "requirements.txt"
        lock.write_text(index.pin("agent", "1.0"))
        with pytest.raises(Failure, match=denied):
            wheels.fetch(lock, cache=tmp_path / "cache")


def test_a_lock_is_the_same_from_every_folder(index, make_stack, tmp_path):
    index.add("agent", "1.0")
    stack = make_stack(strands="agent>=1.0")
    first = joint_lock.lock(stack)
    assert "# via -r layers/strands/requirements.in" in first[0]
    elsewhere = tmp_path / "some" / "folder"
    elsewhere.mkdir(parents=True)
    with contextlib.chdir(elsewhere):
        assert joint_lock.lock(stack) == first
        assert Path.cwd() == elsewhere


@pytest.mark.parametrize("place", ["environment", "file"])
def test_constraints_and_platforms_of_the_users_pip_change_nothing(
    index, make_stack, tmp_path, monkeypatch, place
):
    index.add("agent", "1.0")
    index.add("agent", "2.0")
    constraint = tmp_path / "constraints.txt"
    constraint.write_text("agent==1.0\n")
    settings = {"constraint": str(constraint), "platform": "win_amd64", "no-binary": ":all:"}
    if place == "environment":
        for name, value in settings.items():
            monkeypatch.setenv(f"PIP_{name.replace('-', '_').upper()}", value)
    else:
        config = tmp_path / "pip.conf"
        config.write_text("[global]\n" + "".join(f"{name} = {value}\n" for name, value in settings.items()))
        monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    stack = make_stack(strands="agent>=1.0")
    (text,) = joint_lock.lock(stack)
    assert pinned(text) == ["agent==2.0"]
    joint_lock.write(stack[0], text)
    assert [wheel.name for wheel in wheels.fetch(stack[0].lock, cache=tmp_path / "cache")] == [
        "agent-2.0-py3-none-any.whl"
    ]


def test_packages_that_need_a_newer_glibc_are_reported(index, make_stack):
    index.add("native", "1.0", tag="cp313-cp313-manylinux2014_x86_64")
    index.add("native", "2.0", tag="cp313-cp313-manylinux_2_28_x86_64")
    index.add("pure", "1.0")
    stack = make_stack(strands="native>=1.0\npure>=1.0")
    locks = joint_lock.resolve(stack)
    assert joint_lock.changes(stack[0], locks.texts[0], locks.newer) == [
        "strands: native none → 2.0 (needs glibc 2.28)",
        "strands: pure none → 1.0",
    ]


@pytest.mark.parametrize("upgrade", [{}, {"upgrade": True}, {"upgrade_packages": ["native"]}])
def test_what_this_repository_ships_stays_manylinux2014(index, make_stack, upgrade):
    index.add("native", "1.0", tag="cp313-cp313-manylinux2014_x86_64")
    index.add("langfuse", "5.0", requires=["native"])
    stack = make_stack(strands="langfuse>=5.0")
    if upgrade:
        joint_lock.write(stack[0], joint_lock.lock(stack)[0])
    index.add("native", "2.0", tag="cp313-cp313-manylinux_2_28_x86_64")
    (text,) = joint_lock.lock(stack, **upgrade)
    assert pinned(text) == ["langfuse==5.0", "native==1.0"]


@pytest.mark.skipif(os.name == "nt", reason="HOME")
@pytest.mark.parametrize("command", [["lock", "--check"], ["build"]])
def test_a_home_that_cannot_be_used_is_one_line(tmp_path, command):
    (tmp_path / "home").write_text("a file")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
    environment |= {"HOME": str(tmp_path / "home" / "user")}
    code = (
        "import layers, sys; layers.stale_reason = lambda layer: 'not built'; "
        "from tools.command import run; from tools.build_layers.__main__ import main; "
        "run(lambda: main(sys.argv[1:]))"
    )
    told = subprocess.run(
        [sys.executable, "-c", code, *command],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 1
    assert re.fullmatch(
        r"error: \S+ cannot be created \(.+\): make it writable, or set XDG_CACHE_HOME .*", last(told)
    )
    assert "Traceback" not in told.stderr


def last(told):
    return told.stderr.strip().splitlines()[-1]
