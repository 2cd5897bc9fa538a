"""Faulty wheels, an unreachable index and a full disk are reported; files go where pip puts them."""

import errno
import os
from zipfile import ZipFile

import pytest

import layers
from layers import interpreter
from tests.integration.layers.built_layers import violations
from tools.build_layers.building.build import build
from tools.command import Failure


@pytest.mark.parametrize("path", ["../evil.py", "/evil.py", "odd-1.0.data/data/../../evil.py"])
def test_a_wheel_with_a_path_outside_its_folder_is_rejected(index, one_layer, empty_store, path):
    index.add("odd", "1.0", files={path: "evil = True\n"})
    with pytest.raises(
        Failure, match=r"odd-1.0-py3-none-any.whl cannot be compiled: .*do not use this wheel"
    ):
        build([one_layer("odd")], store=empty_store)


def test_a_wheel_that_is_not_the_locked_one_is_not_used(stack, empty_store, index):
    index.add("shared", "1.0", files={"shared.py": "evil = True\n"})
    with pytest.raises(Failure, match=r"the index's shared==1.0 is not the file that was locked"):
        build(stack, store=empty_store)
    assert not stack[0].zip.exists()


def test_a_wheel_that_was_removed_is_named_with_the_remedy(stack, empty_store, index):
    (index.folder / "shared" / "index.html").write_text("")
    with pytest.raises(Failure, match=r"no wheel of shared==1.0 for CPython 3.13 .* `hatch run lock-layers`"):
        build(stack, store=empty_store)


def test_a_missing_interpreter_is_reported_before_wheels_are_downloaded(stack, empty_store, monkeypatch):
    def missing():
        raise interpreter.InterpreterError("CPython 3.13 was not found")

    monkeypatch.setattr(interpreter, "target", missing)
    with pytest.raises(interpreter.InterpreterError):
        build(stack, store=empty_store)
    assert list(empty_store.rglob("*.whl")) == []


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
def test_an_unreachable_index_is_reported(stack, empty_store, monkeypatch, name, value):
    monkeypatch.setenv("PIP_INDEX_URL", "https://192.0.2.1/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    monkeypatch.setenv(name, value)
    with pytest.raises(Failure, match=r"the package index cannot be reached \(.+\): check the network"):
        build(stack, store=empty_store)


class Full:
    """A progress that reports a full disk."""

    def begin(self, what, total):
        raise OSError(errno.ENOSPC, "No space left on device", "/somewhere/layer.zip")

    def advance(self, steps=1):
        """Never comes to that."""


def test_a_full_disk_is_one_line(stack, store):
    with pytest.raises(Failure, match=r"^No space left on device: /somewhere/layer.zip: make room [^\n]+$"):
        build(stack, store=store, progress=Full())


def test_two_wheels_with_the_same_path_are_rejected(index, stack, store):
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
