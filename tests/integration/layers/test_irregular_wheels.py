"""Wheels that pip installs and Python imports are built; what is harmless in them is a warning."""

import base64
import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

import layers
from tools.build_layers.building.build import build
from tools.build_layers.checks.candidate import Candidate
from tools.build_layers.checks.layer_contents import read_layer
from tools.build_layers.checks.result import Harmless, Report, Violation
from tools.build_layers.checks.run import CHECKS, check_paths
from tools.wheels.download import sha256

REPOSITORY = Path(__file__).parents[3]


METADATA = "Metadata-Version: 2.1\nName: odd\nVersion: 1.0\n"


@pytest.fixture
def build_odd(index, make_stack, tmp_path):
    """Publishes a wheel `odd`, builds a layer of it, and gives the layer."""

    def make(version="1.0", locked="1.0", **wheel):
        published = index.add("odd", version, **wheel)
        if version == locked:  # pip, which takes a second, has then nothing to choose
            keep(published, tmp_path / "store")
        (layer,) = make_stack(strands="odd>=1.0")
        layer.lock.write_text(index.pin("odd", version).replace(f"=={version}", f"=={locked}"))
        build([layer], store=tmp_path / "store")
        return layer

    return make


def keep(wheel, store):
    """Put a wheel into the cache, as after its download."""
    folder = store / "wheels" / layers.RUNTIME / sha256(wheel)
    folder.mkdir(parents=True)
    shutil.copy(wheel, folder)


def findings(*stack):
    """What every check that needs no machine code reports: warnings, violations."""
    candidate = Candidate([read_layer(layer) for layer in stack], handler=None)
    found = [(name, line) for name, check in CHECKS.items() if name != "imports" for line in check(candidate)]
    warnings = [(name, str(line)) for name, line in found if isinstance(line, Harmless)]
    return warnings, [(name, line) for name, line in found if not isinstance(line, Harmless)]


def recorded(algorithm, data, *, padded=False):
    digest = base64.urlsafe_b64encode(hashlib.new(algorithm, data).digest()).decode()
    return f"{algorithm}={digest if padded else digest.rstrip('=')}"


def test_a_regular_wheel_has_no_warnings(build_odd):
    assert findings(build_odd()) == ([], [])


def test_record_rows_of_absent_files_are_left_out(build_odd):
    layer = build_odd(record=lambda rows: [*rows, "odd/gone.py,sha256=x,1\n", "odd/lost.py,sha256=x,1\n"])
    message = "strands: odd-1.0-py3-none-any.whl: odd/gone.py is in the wheel's RECORD and not in the wheel"
    assert findings(layer) == ([("record", f"{message} and 1 more")], [])


def test_files_that_are_not_in_the_record_are_added_to_it(build_odd):
    layer = build_odd(record=lambda rows: [row for row in rows if not row.startswith("odd.py")])
    message = "strands: odd-1.0-py3-none-any.whl: odd.py is in the wheel and not in its RECORD"
    assert findings(layer) == ([("record", message)], [])


def test_a_vendored_distribution_is_part_of_the_distribution_that_contains_it(build_odd):
    vendored = "odd/_vendor/inner-2.0.dist-info"
    files = {
        "odd/__init__.py": "",
        f"{vendored}/RECORD": "inner.py,sha256=wrong,1\n",
        f"{vendored}/METADATA": "Metadata-Version: 2.1\nName: inner\nVersion: 2.0\n",
    }
    assert findings(build_odd(files=files)) == ([], [])


def test_programs_for_other_systems_and_data_that_looks_like_one_are_harmless(build_odd):
    files = {
        "odd/__init__.py": "",
        "odd/macos/manager": b"\xcf\xfa\xed\xfe" + bytes(60),
        "odd/windows/manager.exe": b"MZ" + bytes(60),
        "odd/data.bin": b"MZ are two letters",
        "odd/libm.so": "/* GNU ld script */\nINPUT(libm.so.6)\n",
    }
    warnings, violations = findings(build_odd(files=files))
    assert violations == []
    assert sorted(line.split()[1] for name, line in warnings if name == "machine") == sorted(list(files)[1:])


@pytest.mark.parametrize("other", ["odd/_fast.cpython-313-x86_64-linux-gnu.so", "odd/_fast.abi3.so"])
def test_extensions_for_other_pythons_are_harmless_next_to_ours(build_odd, built, other):
    with ZipFile(built[0].zip) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".cpython-313-x86_64-linux-gnu.so"))
        elf = archive.read(name)
    old = "odd/_fast.cpython-39-x86_64-linux-gnu.so"
    warnings, violations = findings(build_odd(files={"odd/__init__.py": "", old: elf, other: elf}))
    assert violations == []
    assert warnings == [
        ("machine", f"strands: {old} is an extension for cpython-39, which python3.13 does not load")
    ]


def test_padded_and_other_hashes_in_the_record_are_read(build_odd):
    data = b"version = '1.0'\n"
    row = f"odd.py,{recorded('sha256', data, padded=True)},16\n"
    strong = f"{recorded('sha512', METADATA.encode())}"
    layer = build_odd(
        metadata=METADATA.encode() + b"License: MIT\n",
        record=lambda rows: [row if entry.startswith("odd.py") else entry for entry in rows],
    )
    assert findings(layer) == ([], [])
    assert strong.startswith("sha512=")


@pytest.mark.parametrize("algorithm", ["sha384", "sha512"])
def test_stronger_hashes_in_the_record_are_checked(build_odd, algorithm):
    row = f"odd.py,{recorded(algorithm, b'version = ' + repr('1.0').encode() + bytes([10]))},16\n"
    layer = build_odd(record=lambda rows: [row if entry.startswith("odd.py") else entry for entry in rows])
    assert findings(layer) == ([], [])


def test_a_wrong_hash_of_any_kind_is_a_violation(build_odd):
    row = f"odd.py,{recorded('sha512', b'other')},16\n"
    layer = build_odd(record=lambda rows: [row if entry.startswith("odd.py") else entry for entry in rows])
    assert findings(layer)[1] == [
        ("record", "strands: odd.py is not the file of its RECORD (its hash differs)")
    ]


def test_a_row_without_a_hash_is_harmless(build_odd):
    layer = build_odd(record=lambda rows: ["odd.py,,\n" if row.startswith("odd.py") else row for row in rows])
    assert findings(layer) == ([("record", "strands: odd.py has no hash in its RECORD")], [])


def test_bytecode_of_another_python_is_harmless(build_odd):
    stale = "odd/__pycache__/__init__.cpython-39.pyc"
    layer = build_odd(files={"odd/__init__.py": "", stale: b"old"})
    assert findings(layer) == (
        [("bytecode", f"strands: {stale} is bytecode that no module of this Python uses")],
        [],
    )


def test_a_version_may_be_spelled_in_two_ways(build_odd):
    layer = build_odd(metadata=METADATA.replace("1.0\n", "1.0.0\n").encode() + b"License: MIT\n")
    assert findings(layer) == ([], [])


def test_a_licence_in_a_classifier_is_enough_and_a_missing_one_is_harmless(build_odd):
    layer = build_odd(metadata=METADATA.encode() + b"Classifier: License :: OSI Approved :: MIT License\n")
    assert findings(layer) == ([], [])
    assert layer.read_manifest()["distributions"][0]["licence"] == "MIT License"


def test_a_missing_licence_is_harmless(build_odd):
    layer = build_odd(metadata=METADATA.encode())
    assert findings(layer) == (
        [("licences", "strands: odd names no licence and contains no text of one")],
        [],
    )


def test_metadata_that_is_not_ascii_is_read(build_odd):
    layer = build_odd(metadata=METADATA.encode() + "License: Größe\nSummary: café\n".encode())
    assert findings(layer) == ([], [])
    assert layer.read_manifest()["distributions"][0]["licence"] == "Größe"


def test_an_invalid_requires_python_is_harmless(build_odd):
    layer = build_odd(metadata=METADATA.encode() + b"License: MIT\nRequires-Python: >=3.6.*\n")
    assert findings(layer) == ([("closure", "strands: odd has the invalid Requires-Python '>=3.6.*'")], [])


def test_an_invalid_requirement_is_one_line_with_a_remedy(tmp_path):
    folder = tmp_path / "site" / "odd-1.0.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(METADATA + "Requires-Dist: not a requirement\n")
    message = "site: odd has the invalid requirement 'not a requirement': require another version of it"
    assert Violation("closure", message) in check_paths([tmp_path / "site"]).violations


def test_strict_makes_warnings_violations():
    warning = Violation("licences", "odd names no licence")
    report = Report(["licences"], {}, [], [warning])
    assert report.passed
    assert not report.strict().passed
    assert report.strict().violations == [warning]


def test_warnings_are_counted_and_every_rejection_states_a_remedy(tmp_path):
    folder = tmp_path / "site" / "odd-1.0.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(METADATA)
    command = [sys.executable, "-m", "tools.build_layers", "check", str(tmp_path / "site")]
    lines = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False).stderr
    assert "warning: licences: 1 harmless (`check-layers --strict` rejects them)\n" in lines
    assert "record: to correct this: delete the layer's folder `build` and run `hatch run build-" in lines
    told = subprocess.run([*command, "--json"], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    report = json.loads(told.stdout)
    assert [found["gate"] for found in report["warnings"]] == ["licences"]
    assert all(found["remedy"] for found in report["breaches"])
