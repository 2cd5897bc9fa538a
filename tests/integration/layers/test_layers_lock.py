import os
import shutil
import subprocess
import sys
from pathlib import Path

import piptools
import pytest

import layers
from layers import interpreter
from tools.build_layers.locking import joint_lock
from tools.command import Failure

REPOSITORY = Path(__file__).parents[3]

LOCK = """
import sys
from pathlib import Path
{before}
from layers import Layer
import layers
from layers import interpreter
from tools.build_layers.locking import joint_lock
stack = [Layer(path.name, path) for path in map(Path, sys.argv[1:])]
print("\\0".join(joint_lock.lock(stack)))
"""

WINDOWS = """
import pip._vendor.packaging.markers as markers
host = {**markers.default_environment(), "sys_platform": "win32", "os_name": "nt",
        "platform_system": "Windows", "platform_machine": "AMD64",
        "python_version": "3.11", "python_full_version": "3.11.7"}
markers.default_environment = lambda: dict(host)
"""

MACOS = WINDOWS.replace("win32", "darwin").replace('"nt"', '"posix"').replace("Windows", "Darwin")


def lock(stack):
    """Lock a stack as the command does, and leave the locks in their places."""
    for layer, text in zip(stack, texts := joint_lock.lock(stack), strict=True):
        joint_lock.write(layer, text)
    return texts


def pinned(text):
    return [line.split(" ")[0] for line in text.splitlines() if "==" in line]


@pytest.fixture
def tricky(index, make_stack):
    """Requirements that a resolver gets wrong if it looks at the machine that it runs on."""
    index.add("shared", "1.0")
    index.add("shared", "1.1")
    index.add("new-python-only", "1.0", python=">=3.13")
    index.add("windows-only", "1.0")
    index.add("agent", "1.0", requires=["shared"])
    needs = [
        "shared<1.1",
        "new-python-only; python_version>='3.13'",
        "windows-only; sys_platform=='win32' or sys_platform=='darwin'",
    ]
    index.add("agent", "2.0", requires=needs, python=">=3.12")
    index.add("native", "1.0", tag="cp313-cp313-manylinux2014_x86_64")
    index.add("native", "1.1", tag="cp311-cp311-manylinux2014_x86_64")
    index.add("native", "1.2", tag="cp313-cp313-manylinux_2_34_x86_64")
    index.add("native", "1.3", tag="cp313-cp313-win_amd64")
    index.add("native", "1.4", tag="cp313-cp313-manylinux_2_35_x86_64")
    index.add("traces", "1.0", requires=["shared", "native>=1"])
    return make_stack(strands="agent>=1.0", langfuse="traces>=1.0")


def test_the_target_decides_what_is_locked_not_the_machine(tricky):
    strands, langfuse = lock(tricky)
    assert pinned(strands) == ["agent==2.0", "new-python-only==1.0", "shared==1.0"]
    assert pinned(langfuse) == ["native==1.2", "traces==1.0"]


def _locked_elsewhere(python, stack, before=""):
    site = Path(piptools.__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(site)])}
    command = [python, "-S", "-c", LOCK.format(before=before), *(layer.directory for layer in stack)]
    run = subprocess.run(command, capture_output=True, text=True, env=environment, check=True, cwd=REPOSITORY)
    return run.stdout.removesuffix("\n").split("\0")


@pytest.mark.parametrize("host", [WINDOWS, MACOS], ids=["windows", "macos"])
def test_other_systems_write_the_same_lock(tricky, host):
    assert _locked_elsewhere(sys.executable, tricky, before=host) == joint_lock.lock(tricky)


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_every_python_writes_the_same_lock(tricky, version):
    found = next(filter(_runs, interpreter.installed(version)), None)
    if not found:
        pytest.skip(f"no Python {version} here")
    assert _locked_elsewhere(found, tricky) == joint_lock.lock(tricky)


def _runs(python):
    return subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0


def test_a_lock_contains_nothing_of_the_machine(index, make_stack, tmp_path, monkeypatch):
    index.add("agent", "1.0")
    index.add("traces", "1.0")
    elsewhere = tmp_path / "more" / "index"
    shutil.copytree(index.folder, elsewhere)
    here = type(index)(elsewhere)
    here.add("agent", "1.9")
    monkeypatch.setenv("PIP_FIND_LINKS", str(elsewhere / "agent"))
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", here.url)
    texts = lock(make_stack(strands="agent>=1.0", langfuse="traces>=1.0"))
    assert pinned("".join(texts)) == ["agent==1.0", "traces==1.0"]
    for text in texts:
        lines = [line for line in text.splitlines() if "# via" not in line]
        assert all(line.lstrip().startswith("--hash=sha256:") or line.endswith(" \\") for line in lines)
        assert "://" not in text


def test_present_pins_are_kept_until_they_are_to_be_upgraded(index, make_stack):
    index.add("agent", "1.0", requires=["shared"])
    index.add("shared", "1.0")
    index.add("traces", "1.0")
    stack = make_stack(strands="agent>=1.0", langfuse="traces>=1.0")
    before = lock(stack)
    index.add("agent", "1.1", requires=["shared"])
    index.add("shared", "1.1")
    assert lock(stack) == before
    joint_lock.check(stack)
    assert pinned(joint_lock.lock(stack, upgrade_packages=["agent"])[0]) == ["agent==1.1", "shared==1.0"]
    assert pinned(joint_lock.lock(stack, upgrade=True)[0]) == ["agent==1.1", "shared==1.1"]


def test_an_upgrade_of_a_package_that_is_in_no_lock_is_rejected(index, make_stack):
    index.add("agent", "1.0")
    stack = make_stack(strands="agent>=1.0", langfuse="agent>=1.0")
    lock(stack)
    with pytest.raises(Failure, match=r"--upgrade langfusse==5.0: it is in no lock: add langfusse to"):
        joint_lock.lock(stack, upgrade_packages=["agent", "langfusse==5.0"])


def test_a_new_dependency_is_added_and_nothing_else_moves(index, make_stack):
    index.add("agent", "1.0")
    index.add("traces", "1.0")
    stack = make_stack(strands="agent>=1.0", langfuse="traces>=1.0")
    lock(stack)
    index.add("agent", "1.1")
    index.add("tool-kit", "3.0", requires=["helper"])
    index.add("helper", "0.1")
    stack[0].requirements.write_text("agent>=1.0\ntool-kit>=3.0  # for a tool of mine\n")
    with pytest.raises(Failure, match=r"needs tool-kit>=3.0, which is missing: run `hatch run lock-layers`"):
        joint_lock.check(stack)
    strands, _ = texts = joint_lock.lock(stack)
    assert pinned(strands) == ["agent==1.0", "helper==0.1", "tool-kit==3.0"]
    assert joint_lock.changes(stack[0], texts[0]) == [
        "strands: helper none → 0.1",
        "strands: tool-kit none → 3.0",
    ]
    lock(stack)
    joint_lock.check(stack)


@pytest.mark.parametrize("entry", ["agent", "agent<2", "agent[extra]", "agent!=1.0"])
def test_an_entry_without_a_lower_bound_is_rejected(index, make_stack, entry):
    index.add("agent", "1.0", extras=["extra"])
    with pytest.raises(Failure, match=r"layers/strands/requirements.in: .* needs a lower bound"):
        joint_lock.lock(make_stack(strands=entry, langfuse="agent>=1.0"))


def test_an_invalid_requirement_is_named(make_stack):
    with pytest.raises(Failure, match=r"layers/strands/requirements.in: 'not a requirement' is not"):
        joint_lock.lock(make_stack(strands="not a requirement", langfuse=""))


def test_a_wheel_for_other_systems_only_is_rejected_and_not_replaced_by_an_old_release(index, make_stack):
    index.add("agent", "1.0")
    index.add("agent", "2.0", tag="cp313-cp313-win_amd64")
    with pytest.raises(Failure, match=r"no wheel of agent>=1.5 for CPython 3.13 on manylinux2014_x86_64"):
        joint_lock.lock(make_stack(strands="agent>=1.5", langfuse="agent>=1.5"))


def test_requirements_that_exclude_each_other_are_one_line(index, make_stack):
    index.add("shared", "1.0")
    index.add("shared", "2.0")
    index.add("agent", "1.0", requires=["shared<2"])
    index.add("traces", "1.0", requires=["shared>=2"])
    both_sides = (
        r"^[^\n]*cannot be resolved for the target: "
        r"agent 1.0 needs shared<2, but traces 1.0 needs shared>=2: [^\n]+$"
    )
    with pytest.raises(Failure, match=both_sides):
        joint_lock.lock(make_stack(strands="agent>=1.0", langfuse="traces>=1.0"))


def test_without_a_network_lock_layers_reports_it(make_stack, index, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    with pytest.raises(Failure, match=r"the package index cannot be reached \(.+\): check the network"):
        joint_lock.lock(make_stack(strands="agent>=1.0", langfuse="agent>=1.0"))


def test_layers_that_disagree_fail_the_check(index, make_stack):
    index.add("agent", "1.0", requires=["shared"])
    index.add("shared", "1.0")
    index.add("shared", "1.1")
    index.add("traces", "1.0", requires=["shared"])
    stack = make_stack(strands="agent>=1.0", langfuse="traces>=1.0")
    strands, langfuse = lock(stack)
    shared = strands[strands.index("shared==") :]
    stack[1].lock.write_text(shared + langfuse)
    with pytest.raises(Failure, match=r"strands, langfuse: there is more than one distribution shared"):
        joint_lock.check(stack)
    stack[0].lock.write_text(strands.replace(shared, ""))
    stack[1].lock.write_text(langfuse)
    with pytest.raises(Failure, match=r"strands: agent needs shared, which is missing"):
        joint_lock.check(stack)


def test_a_pin_whose_hash_is_another_versions_fails_the_check(index, make_stack):
    index.add("agent", "1.0")
    index.add("traces", "1.0")
    stack = make_stack(strands="agent>=1.0", langfuse="traces>=1.0")
    lock(stack)
    joint_lock.check(stack)
    stack[0].lock.write_text(stack[0].lock.read_text().replace("agent==1.0", "agent==1.1"))
    with pytest.raises(
        Failure, match=r"the lock has 1.1 of agent, and the layer has 1.0: run `hatch run lock"
    ):
        joint_lock.check(stack)


def test_a_lock_line_without_a_hash_fails_the_check(make_stack):
    stack = make_stack(strands="agent>=1.0")
    stack[0].lock.write_text("agent==1.0\n")
    with pytest.raises(Failure, match=r"requirements.txt: not a pin with hashes: agent==1.0"):
        joint_lock.check(stack)


def test_the_locks_of_this_checkout_are_current():
    line = [sys.executable, "-m", "tools.build_layers", "lock", "--check"]
    told = subprocess.run(line, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert (told.returncode, told.stdout) == (0, "The locks satisfy their requirements, and each other.\n")
    for layer in layers.LAYERS:
        text = layer.lock.read_text()
        assert "://" not in text
        assert not [line for line in text.splitlines() if line.startswith(("-", "#"))]
