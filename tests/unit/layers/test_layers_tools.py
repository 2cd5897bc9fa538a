import os
import re
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from layers import interpreter
from layers.interpreter import InterpreterError
from tools import cache, cache_limit, wheels
from tools.build_layers import layer_tree
from tools.build_layers.checks.boto_clients import requested_services
from tools.build_layers.target_scripts.compile_wheel import installed_path

LOCK = """\
agent==1.0 \\
    --hash=sha256:{a} \\
    --hash=sha256:{b}
    # via -r layers/strands/requirements.in
shared-things==2.0rc1 \\
    --hash=sha256:{b}
    # via
    #   agent
    #   traces
"""
LOCK = LOCK.format(a="a" * 64, b="b" * 64)


def test_a_lock_is_read_pin_by_pin():
    pins = wheels.read_lock(LOCK)
    assert [(pin.name, pin.version, len(pin.hashes)) for pin in pins.values()] == [
        ("agent", "1.0", 2),
        ("shared-things", "2.0rc1", 1),
    ]
    assert "".join(pin.text for pin in pins.values()) == LOCK


@pytest.mark.parametrize("line", ["agent>=1.0", "agent==1.0", "--index-url https://x", "-e ."])
def test_a_line_that_is_not_a_pin_with_hashes_is_rejected(line):
    with pytest.raises(ValueError, match="not a pin with hashes"):
        wheels.read_lock(LOCK + line + "\n")


@pytest.mark.parametrize(
    ("output", "line"),
    [
        ("ERROR: No matching distribution found for a==1", "no wheel of a==1"),
        ("WARNING: ... SSLError(1, 'CERTIFICATE_VERIFY_FAILED')", "cannot be reached (SSLError)"),
        ("OSError: [Errno 28] No space left on device", "no space left on the disk"),
    ],
)
def test_pips_errors_become_one_line_with_a_remedy(output, line):
    assert line in wheels.explain(output)
    assert "\n" not in wheels.explain(output)


def test_of_an_unknown_error_the_last_line_is_shown():
    assert wheels.explain("ERROR: something else") is None
    assert wheels.last_line("WARNING: x\nERROR: something else\n\n") == "something else"


@pytest.mark.parametrize(
    ("stored", "path"),
    [
        ("pkg/mod.py", "pkg/mod.py"),
        ("pkg-1.0.dist-info/METADATA", "pkg-1.0.dist-info/METADATA"),
        ("pkg-1.0.data/purelib/mod.py", "mod.py"),
        ("pkg-1.0.data/platlib/pkg/x.so", "pkg/x.so"),
        ("pkg-1.0.data/scripts/tool", "bin/tool"),
        ("pkg-1.0.data/data/etc/pkg.cfg", "etc/pkg.cfg"),
        ("pkg-1.0.data/headers/pkg.h", "include/pkg/pkg.h"),
    ],
)
def test_a_wheels_file_is_installed_where_pip_does(stored, path):
    assert installed_path(stored) == path


def test_a_file_is_written_atomically(tmp_path):
    path = tmp_path / "new" / "file"
    cache.write(path, b"one")
    with pytest.raises(TypeError):
        cache.write(path, "not bytes")
    assert path.read_bytes() == b"one"
    assert [found.name for found in path.parent.iterdir()] == ["file"]
    assert cache.read(tmp_path / "missing") is None


def test_no_interpreter_of_the_target_is_one_line_with_the_remedy(tmp_path):
    shim = tmp_path / "python3.13"
    shim.write_text("#!/bin/sh\nexit 127\n")
    shim.chmod(0o755)
    with pytest.raises(
        InterpreterError,
        match=r"^CPython 3.13 was not found: install it with `hatch python install 3.13`, [^\n]+$",
    ):
        interpreter.first_working([shim, tmp_path / "missing"])


@pytest.mark.skipif(sys.version_info[:2] == (3, 13), reason="this Python is the target")
def test_another_python_is_not_the_target():
    with pytest.raises(InterpreterError):
        interpreter.first_working([Path(sys.executable)])


def test_a_failed_installation_by_hatch_is_one_line_with_the_reason(capfd):
    assert list(interpreter.by_hatch("3.1")) == []
    started, failed = capfd.readouterr().err.splitlines()
    assert started == "CPython 3.1 was not found: hatch installs it …"
    assert re.fullmatch(r"`hatch python install 3.1` failed: .*3\.1.*", failed)


@pytest.mark.parametrize(
    ("call", "services"),
    [
        ("boto3.client('s3')", ["s3"]),
        ("session.client(service_name='sts', region_name='x')", ["sts"]),
        ("boto3.session.Session().resource('dynamodb')", ["dynamodb"]),
        ("session.client(name)", [None]),
        ("http.client()", []),
        ("client('s3')", []),
    ],
)
def test_the_services_that_code_uses_are_read_from_it(call, services):
    assert [service for _, service in requested_services(call.encode())] == services


UNPACK = """
import sys
from pathlib import Path
from tools.build_layers import layer_tree

print(layer_tree.unpack([Path(sys.argv[1])], store=Path(sys.argv[2])))
"""


def test_trees_that_a_running_function_may_import_from_are_kept(tmp_path):
    zips = [tmp_path / f"{number}.zip" for number in range(8)]
    for number, layer in enumerate(zips):
        with zipfile.ZipFile(layer, "w") as archive:
            archive.writestr("python/number.py", str(number))
    trees = [layer_tree.unpack([layer], store=tmp_path) for layer in zips[:4]]
    for layer in zips[4:]:  # by processes that have ended
        command = [sys.executable, "-c", UNPACK, str(layer), str(tmp_path)]
        ran = subprocess.run(command, check=True, capture_output=True, encoding="utf-8")
        trees.append(Path(ran.stdout.strip()))
    assert all(tree.is_dir() for tree in trees)

    days_ago = time.time() - 2 * 24 * 3600
    for tree in trees:
        os.utime(tree, (days_ago, days_ago))
    cache_limit.trim(tmp_path, limit=0)
    assert all(tree.is_dir() for tree in trees[:4])
    assert not any(tree.exists() for tree in trees[4:])


def test_a_tree_is_unpacked_once_though_the_cache_is_over_its_limit(tmp_path):
    layer = tmp_path / "layer.zip"
    with zipfile.ZipFile(layer, "w") as archive:
        archive.writestr("python/module.py", "")
    store = tmp_path / "store"
    (store / "layer-parts").mkdir(parents=True)
    with (store / "layer-parts" / "used-by-another-command").open("wb") as sparse:
        sparse.truncate(2 * cache_limit.LIMIT_BYTES)
    assert (layer_tree.unpack([layer], store=store) / "python" / "module.py").exists()
