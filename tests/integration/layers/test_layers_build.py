import errno
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

import layers
from tools import wheels
from tools.build_layers.building.build import build
from tools.build_layers.building.compiler_pool import compiler_pool
from tools.build_layers.checks.candidate import Candidate
from tools.build_layers.checks.layer_contents import read_layer
from tools.build_layers.checks.run import CHECKS
from tools.command import Failure
from tools.zip_entries import TIME, read_entries

REPOSITORY = Path(__file__).parents[3]
KILLED = 9


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    """A cache that fills while these tests run."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def empty_store(tmp_path):
    """A cache of this test's own."""
    return tmp_path / "cache"


@pytest.fixture
def stack(index, make_stack):
    """Two small layers, locked."""
    index.add("agent", "1.0", requires=["shared"])
    index.add("shared", "1.0")
    index.add("traces", "1.0", requires=["shared"])
    made = make_stack(strands="agent>=1.0", langfuse="traces>=1.0")
    made[0].lock.write_text(index.pin("agent", "1.0") + index.pin("shared", "1.0"))
    made[1].lock.write_text(index.pin("traces", "1.0"))
    return made


@pytest.fixture
def one_layer(index, make_stack):
    """Lock one layer of the only version of a distribution."""

    def make(name):
        (layer,) = make_stack(strands=f"{name}>=1.0")
        layer.lock.write_text(index.pin(name, "1.0"))
        return layer

    return make


def bytes_of(stack):
    return [layer.zip.read_bytes() for layer in stack]


def forget(stack):
    """Leave the layers as if they had never been built."""
    for layer in stack:
        layer.zip.unlink()
        layer.manifest.unlink()


def violations(stack, *checks):
    candidate = Candidate([read_layer(layer) for layer in stack], handler=None)
    return [line for name in checks for line in CHECKS[name](candidate)]


def test_the_same_lock_gives_the_same_bytes(stack, store, empty_store):
    build(stack, store=store)
    first = bytes_of(stack)
    forget(stack)
    build(stack, store=empty_store)
    assert bytes_of(stack) == first


def test_a_layer_is_sorted_and_bears_one_time(stack, store):
    build(stack, store=store)
    with ZipFile(stack[0].zip) as archive:
        names = archive.namelist()
        assert names == sorted(names)
        assert {entry.date_time for entry in archive.infolist()} == {TIME}
        assert "python/agent.py" in names
        assert "python/__pycache__/agent.cpython-313.pyc" in names
        assert archive.testzip() is None


def test_the_manifest_says_what_is_in_the_layer(stack, store):
    build(stack, store=store)
    manifest = json.loads(stack[0].manifest.read_text())
    assert (manifest["name"], manifest["python"], manifest["platform"]) == (
        "strands",
        "3.13",
        "manylinux2014_x86_64",
    )
    assert manifest["bytes_zipped"] == stack[0].zip.stat().st_size
    with ZipFile(stack[0].zip) as archive:
        assert manifest["bytes_unzipped"] == sum(entry.file_size for entry in archive.infolist())
    found = [(one["name"], one["version"], one["licence"]) for one in manifest["distributions"]]
    assert found == [("agent", "1.0", "MIT"), ("shared", "1.0", "MIT")]
    assert layers.stale_reason(stack[0]) is None


def test_nothing_changed_is_nothing_done(stack, store, monkeypatch):
    assert build(stack, store=store) == stack
    before = [layer.zip.stat().st_mtime_ns for layer in stack]
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    assert build(stack, store=store) == []
    assert [layer.zip.stat().st_mtime_ns for layer in stack] == before


def test_only_what_changed_is_built_again(stack, empty_store, index):
    store = empty_store
    build(stack, store=store)
    compiled = {path: path.stat().st_mtime_ns for path in store.glob("compiled/*/*")}
    untouched = stack[0].zip.stat().st_mtime_ns
    index.add("traces", "1.1", requires=["shared"])
    stack[1].lock.write_text(index.pin("traces", "1.1"))
    assert layers.stale_reason(stack[0]) is None
    assert layers.stale_reason(stack[1]).startswith("layers/langfuse is stale")
    assert build(stack, store=store) == [stack[1]]
    assert stack[0].zip.stat().st_mtime_ns == untouched
    again = {path: path.stat().st_mtime_ns for path in store.glob("compiled/*/*")}
    assert compiled.items() <= again.items()
    assert len(again) == len(compiled) + 1


DYING = """
import os, sys
from pathlib import Path
from layers import Layer
from tools.build_layers.building.build import build

class Dying:
    left = int(sys.argv[1])
    def begin(self, what, total):
        self.advance()
    def advance(self, steps=1):
        self.left -= 1
        if self.left < 0:
            os._exit(9)

_, _, store, *stack = sys.argv
build([Layer(Path(path).name, Path(path)) for path in stack], store=Path(store), progress=Dying())
"""


def started(stack, store, *, dies_after=1000):
    command = [sys.executable, "-c", DYING, str(dies_after), store, *(layer.directory for layer in stack)]
    return subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.PIPE)


@pytest.mark.parametrize("step", [0, 1, 3, 5])
def test_a_build_that_dies_leaves_no_half_zip_and_no_broken_cache(stack, empty_store, step):
    with started(stack, empty_store, dies_after=step) as dying:
        assert dying.wait() == KILLED
    assert not [layer for layer in stack if layer.zip.exists()]
    build(stack, store=empty_store)
    assert violations(stack, "record", "bytecode", "closure") == []


def test_parallel_builds_do_not_collide(stack, empty_store):
    with started(stack, empty_store) as one, started(stack, empty_store) as other:
        assert (one.wait(), other.wait()) == (0, 0)
    assert [layers.stale_reason(layer) for layer in stack] == [None, None]


@pytest.mark.parametrize("kept", ["wheels/*/*/*.whl", "compiled/*/*"])
def test_a_corrupt_cache_heals(stack, store, empty_store, kept):
    build(stack, store=store)
    before = bytes_of(stack)
    forget(stack)
    shutil.copytree(store, empty_store)
    for number, path in enumerate(empty_store.glob(kept)):
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data if number else b"")
    build(stack, store=empty_store)
    assert bytes_of(stack) == before


def test_a_compiled_wheel_that_another_user_put_into_the_cache_is_not_used(stack, store, empty_store):
    build(stack, store=store)
    before = bytes_of(stack)
    forget(stack)
    shutil.copytree(store, empty_store)
    for path in empty_store.glob("compiled/*/*"):
        changed = path.read_bytes()[32:].replace(b"agent", b"agens")
        path.write_bytes(hashlib.sha256(changed).digest() + changed)
    build(stack, store=empty_store)
    assert bytes_of(stack) == before


@pytest.mark.parametrize("path", ["../evil.py", "/evil.py", "odd-1.0.data/data/../../evil.py"])
def test_a_wheel_with_a_path_outside_its_folder_is_rejected(index, one_layer, empty_store, path):
    index.add("odd", "1.0", files={path: "evil = True\n"})
    with pytest.raises(
        Failure, match=r"odd-1.0-py3-none-any.whl cannot be compiled: .*do not use this wheel"
    ):
        build([one_layer("odd")], store=empty_store)


def test_a_changed_zip_is_built_again(stack, store):
    build(stack, store=store)
    before = bytes_of(stack)
    stack[0].zip.write_bytes(before[0] + b"\0")
    assert layers.stale_reason(stack[0]).startswith("layers/strands is not what was built")
    assert build(stack, store=store) == [stack[0]]
    assert bytes_of(stack) == before


# What goes wrong


def test_a_wheel_that_is_not_the_locked_one_is_not_used(stack, empty_store, index):
    index.add("shared", "1.0", files={"shared.py": "evil = True\n"})
    with pytest.raises(Failure, match=r"the index's shared==1.0 is not the file that was locked"):
        build(stack, store=empty_store)
    assert not stack[0].zip.exists()


def test_a_wheel_that_is_gone_is_named_with_the_remedy(stack, empty_store, index):
    (index.folder / "shared" / "index.html").write_text("")
    with pytest.raises(Failure, match=r"no wheel of shared==1.0 for CPython 3.13 .* `hatch run lock-layers`"):
        build(stack, store=empty_store)


def test_a_yanked_version_is_built_with_a_warning(stack, empty_store, index, capsys):
    (index.folder / "shared" / "index.html").unlink()
    index.add("shared", "1.0", yanked="it was a mistake")
    build(stack, store=empty_store)
    said = capsys.readouterr().err
    assert (
        "warning: shared 1.0 was yanked from the index: move on with `hatch run lock-layers --upgrade shared`"
        in said
    )


@pytest.mark.parametrize(
    ("name", "value"), [("PIP_INDEX_URL", "http://127.0.0.1:9/simple"), ("PIP_PROXY", "http://127.0.0.1:9")]
)
def test_without_a_way_to_the_index_the_build_says_so(stack, empty_store, monkeypatch, name, value):
    monkeypatch.setenv("PIP_INDEX_URL", "https://192.0.2.1/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    monkeypatch.setenv(name, value)
    with pytest.raises(Failure, match=r"the package index cannot be reached \(.+\): check the network"):
        build(stack, store=empty_store)


class Full:
    """What a progress is told, on a disk that is full."""

    def begin(self, what, total):
        raise OSError(errno.ENOSPC, "No space left on device", "/somewhere/layer.zip")

    def advance(self, steps=1):
        """Never comes to that."""


def test_a_full_disk_is_one_line(stack, store):
    with pytest.raises(Failure, match=r"^No space left on device: /somewhere/layer.zip: make room [^\n]+$"):
        build(stack, store=store, progress=Full())


def test_two_wheels_with_the_same_path_are_refused(index, stack, store):
    index.add("twin", "1.0", files={"agent.py": "b = 1\n"})
    stack[0].lock.write_text(index.pin("agent", "1.0") + index.pin("twin", "1.0"))
    both = r"agent\S* is in \S+ and, with other contents, in \S+: a layer cannot hold both: .*"
    with pytest.raises(Failure, match=both + r"add the line \S*agent\S* to layers/strands/exclude.txt"):
        build(stack, store=store)


# What wheels bring


@pytest.fixture
def odd(index, one_layer, store):
    """A layer of a wheel that uses all of the wheel format, built."""
    files = {
        "odd/__init__.py": '"""Read by tools: kept."""\nassert True\n',
        "odd/Größe.py": "x = 1\n",
        "odd/template.py": "this is {{ not }} Python\n",
        "odd-1.0.data/purelib/odd_pure.py": "x = 1\n",
        "odd-1.0.data/platlib/odd_plat.py": "x = 1\n",
        "odd-1.0.data/scripts/odd-tool.py": "#!python\nprint()\n",
        "odd-1.0.data/data/share/odd/notes.txt": "notes\n",
        "odd-1.0.data/headers/odd.h": "\n",
        "odd-1.0.dist-info/entry_points.txt": "[console_scripts]\nodd = odd:main\n",
        "odd-1.0.dist-info/RECORD.jws": "signed\n",
    }
    index.add("odd", "1.0", files=files)
    layer = one_layer("odd")
    build([layer], store=store)
    return layer


def test_a_wheels_files_go_where_pip_puts_them(odd):
    with ZipFile(odd.zip) as archive:
        names = {name.removeprefix("python/") for name in archive.namelist()}
        assert archive.read("python/bin/odd-tool.py") == b"#!/var/lang/bin/python3\nprint()\n"
        assert archive.getinfo("python/bin/odd-tool.py").external_attr >> 16 == 0o100755
    placed = {"odd_pure.py", "odd_plat.py", "share/odd/notes.txt", "include/odd/odd.h", "odd/Größe.py"}
    assert placed | {"odd-1.0.dist-info/entry_points.txt", "odd/template.py"} <= names
    assert not any(".data/" in name or name.endswith((".jws", "template.cpython-313.pyc")) for name in names)


def test_the_record_is_that_of_what_was_packed(odd):
    assert violations([odd], "record", "bytecode", "layout", "versions", "licences") == []


# Slim


@pytest.fixture
def cloud(index, one_layer):
    """A layer with a botocore of three services."""
    services = {
        f"botocore/data/{name}/2020/service-2.json.gz": os.urandom(64) for name in ("s3", "sqs", "sts")
    }
    files = {"botocore/__init__.py": "", "botocore/data/endpoints.json": "{}", **services}
    index.add("botocore", "1.0", files=files)
    return one_layer("botocore")


def kept(layer):
    with ZipFile(layer.zip) as archive:
        return {name.split("/")[3] for name in archive.namelist() if name.startswith("python/botocore/data/")}


def test_all_services_are_kept_unless_some_are_named(cloud, store):
    build([cloud], store=store)
    assert kept(cloud) == {"endpoints.json", "s3", "sqs", "sts"}
    services = cloud.directory / "botocore-services.txt"
    services.write_text("# none named\n")
    assert layers.stale_reason(cloud) is None
    services.write_text("s3\nsts  # for roles\n")
    assert layers.stale_reason(cloud).startswith("layers/strands is stale")
    build([cloud], store=store)
    assert kept(cloud) == {"endpoints.json", "s3", "sts"}
    assert violations([cloud], "record") == []
    assert cloud.read_manifest()["botocore_services"] == ["s3", "sts"]


def test_a_service_that_botocore_does_not_know_is_named(cloud, store):
    (cloud.directory / "botocore-services.txt").write_text("s4\n")
    with pytest.raises(Failure, match=r"botocore-services.txt names 's4': botocore has no such service"):
        build([cloud], store=store)


# The layers of this checkout


@pytest.mark.parametrize("name", ["langfuse", "strands-agents"])
def test_a_wheel_compiles_to_the_same_bytes_whatever_was_compiled_before_it(built, name):
    (wheel,) = [
        wheel
        for layer in built
        for wheel in wheels.fetch(layer.lock)
        if wheel.name.startswith(f"{name.replace('-', '_')}-")
    ]
    layer = next(layer for layer in built if name in wheels.read_lock(layer.lock.read_text()))
    data = layer.zip.read_bytes()
    with ZipFile(layer.zip) as archive:
        packed = {entry.path: entry.compressed for entry in read_entries(archive, data)}
    with compiler_pool(1) as compiled:
        made = compiled(wheel)
    with ZipFile(io.BytesIO(made)) as archive:
        fresh = {entry.path: entry.compressed for entry in read_entries(archive, made)}
    assert fresh.items() <= packed.items()


def test_a_compiler_that_fails_says_why_in_one_line(tmp_path):
    wheel = tmp_path / "0123" / "broken-1.0-py3-none-any.whl"
    wheel.parent.mkdir()
    wheel.write_bytes(b"no wheel")
    with (
        pytest.raises(Failure, match=r"^broken-1.0-py3-none-any.whl cannot be compiled: .*not a zip file$"),
        compiler_pool(1) as compiled,
    ):
        compiled(wheel)


def command(*words):
    line = [sys.executable, "-m", "tools.build_layers", *words]
    return subprocess.run(line, capture_output=True, text=True, cwd=REPOSITORY, check=False)


def test_building_what_is_built_prints_the_sizes_and_quietly_nothing(built):
    told = command("build")
    assert told.returncode == 0
    assert "strands" in told.stdout
    assert "262.1" in told.stdout
    quiet = command("build", "--quiet")
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")


def test_building_what_is_built_loads_none_of_the_builders_tools(built):
    code = (
        "import sys; from tools.build_layers.__main__ import main; main(['build', '--quiet']); "
        "print({'pip', 'piptools', 'findpython', 'filelock', 'packaging', 'elftools'} & sys.modules.keys())"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY, check=True
    )
    assert told.stdout == "set()\n"


def test_check_prints_every_check(built):
    told = command("check")
    assert told.returncode == 0
    assert [line.split()[1] for line in told.stdout.splitlines()] == list(CHECKS)


def test_check_reports_other_paths_in_json(tmp_path):
    (tmp_path / "site" / "python").mkdir(parents=True)
    (tmp_path / "site" / "python" / "mine.py").write_text("x = 1\n")
    told = command("check", "--json", str(tmp_path / "site"))
    verdict = json.loads(told.stdout)
    assert (told.returncode, verdict["passed"]) == (1, False)
    assert verdict["skipped"] == dict.fromkeys(("wheels", "versions"), "there is no lock to compare with")
    assert verdict["gates"] == [name for name in CHECKS if name not in ("wheels", "versions")]
    reported = [(breach["gate"], breach["message"]) for breach in verdict["breaches"]]
    assert ("record", "site: mine.py is in no RECORD") in reported
    assert all(breach["remedy"] for breach in verdict["breaches"])


def test_a_path_that_is_no_zip_is_one_line(tmp_path):
    (tmp_path / "x.zip").write_text("no zip")
    told = command("check", str(tmp_path / "x.zip"))
    assert told.returncode == 1
    assert "error:" in told.stderr
    assert "cannot be read as a zip" in told.stderr
    assert "Traceback" not in told.stderr


def test_the_real_layers_are_small_enough_to_upload_together(built):
    assert sum(layer.zip.stat().st_size for layer in built) <= 50_000_000
    assert sum(read_layer(layer).unzipped for layer in built) <= 115_000_000
