"""The commands on the layers of this checkout."""

import io
import json
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from tools import wheels
from tools.build_layers.building.compiler_pool import compiler_pool
from tools.build_layers.checks.layer_contents import read_layer
from tools.build_layers.checks.run import CHECKS
from tools.command import Failure
from tools.zip_entries import read_entries

REPOSITORY = Path(__file__).parents[3]


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


def test_a_failing_compiler_is_reported_in_one_line(tmp_path):
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


def test_building_again_prints_the_sizes_and_with_quiet_nothing(built):
    told = command("build")
    assert told.returncode == 0
    assert "strands" in told.stdout
    assert "262.1" in told.stdout
    quiet = command("build", "--quiet")
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")


def test_building_again_imports_none_of_the_builders_libraries(built):
    code = (
        "import sys; from tools.build_layers.__main__ import main; main(['build', '--quiet']); "
        "print({'pip', 'piptools', 'findpython', 'filelock', 'packaging', 'elftools'} & sys.modules.keys())"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY, check=True
    )
    assert told.stdout == "set()\n"


def test_check_prints_every_check_of_which_none_finds_a_violation_or_a_warning(built):
    told = command("check", "--strict")
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


def test_a_path_that_is_not_a_zip_is_one_line(tmp_path):
    (tmp_path / "x.zip").write_text("no zip")
    told = command("check", str(tmp_path / "x.zip"))
    assert told.returncode == 1
    assert "error:" in told.stderr
    assert "cannot be read as a zip" in told.stderr
    assert "Traceback" not in told.stderr


def test_the_real_layers_are_small_enough_to_upload_together(built):
    assert sum(layer.zip.stat().st_size for layer in built) <= 50_000_000
    assert sum(read_layer(layer).unzipped for layer in built) <= 115_000_000
