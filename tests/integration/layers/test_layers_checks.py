"""The checks of layout, wheels, versions, closure and duplicates report each single fault."""

import base64
import hashlib
import os

import pytest

from tests.integration.layers.candidates import COMPILED, contents, metadata_of, reported
from tools import zip_entries
from tools.build_layers.checks.run import CHECKS

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the layers' machine code needs Linux")


@pytest.mark.parametrize("check", [name for name in CHECKS if name != "wheels"])  # test_build_commands has it
def test_the_real_layers_pass(check, real):
    assert reported(check, real) == []


def test_layout_reports_a_file_outside_python(changed):
    stray = zip_entries.compress("six.py", b"")
    assert reported("layout", changed("langfuse", {}, more=[stray])) == [
        "langfuse: six.py is outside python/"
    ]


def test_layout_reports_a_path_that_occurs_twice(changed, real):
    again = zip_entries.compress("python/backoff/_jitter.py", contents(real, "backoff/_jitter.py"))
    assert reported("layout", changed("langfuse", {}, more=[again])) == [
        "langfuse: python/backoff/_jitter.py is in the zip 2 times"
    ]


def test_layout_reports_an_entry_with_another_time(changed, real):
    late = zip_entries.compress("python/backoff/_jitter.py", contents(real, "backoff/_jitter.py"))
    late.info.date_time = (1980, 1, 1, 0, 0, 2)
    said = reported("layout", changed("langfuse", {"backoff/_jitter.py": None}, more=[late]))
    assert said == ["langfuse: python/backoff/_jitter.py does not have the fixed time, so builds differ"]


def test_layout_reports_a_file_that_lambda_cannot_read(changed, real):
    private = zip_entries.compress("python/backoff/_jitter.py", contents(real, "backoff/_jitter.py"))
    private.info.external_attr = 0o100600 << 16
    said = reported("layout", changed("langfuse", {"backoff/_jitter.py": None}, more=[private]))
    assert said == ["langfuse: python/backoff/_jitter.py has the mode 100600"]


# wheels


def test_wheels_reports_bytecode_that_was_not_compiled_from_its_source(changed, real):
    """Its RECORD and its header are right, and it names the right path: only compiling it again shows it."""
    other = contents(real, COMPILED).replace(b"full_jitter", b"full_jittex")
    assert other != contents(real, COMPILED)
    record = metadata_of(real, "backoff").replace("METADATA", "RECORD")
    rows = contents(real, record).decode().splitlines()
    digest = base64.urlsafe_b64encode(hashlib.sha256(other).digest()).rstrip(b"=").decode()
    rows = [f"{COMPILED},sha256={digest},{len(other)}" if COMPILED in row else row for row in rows]
    candidate = changed("langfuse", {COMPILED: other, record: "\n".join(rows).encode() + b"\n"})
    assert reported("record", candidate) == reported("bytecode", candidate) == []
    assert reported("wheels", candidate) == [
        f"langfuse: {path} is not what backoff-2.2.1-py3-none-any.whl gives" for path in (record, COMPILED)
    ]


def test_wheels_reports_missing_and_additional_files(changed):
    found = reported("wheels", changed("langfuse", {"mine.py": b"", "backoff/types.py": None}))
    assert found == [
        "langfuse: backoff/types.py of backoff-2.2.1-py3-none-any.whl is missing",
        "langfuse: mine.py is in no wheel of the lock",
    ]


# versions, closure, duplicates


def test_versions_reports_a_version_that_is_not_in_the_lock(changed, real):
    path = metadata_of(real, "backoff")
    other = contents(real, path).replace(b"\nVersion: 2.", b"\nVersion: 9.")
    said = reported("versions", changed("langfuse", {path: other}))
    assert said == ["langfuse: the lock has 2.2.1 of backoff, and the layer has 9.2.1"]


def test_versions_reports_a_missing_distribution(changed, real):
    said = reported("versions", changed("langfuse", {metadata_of(real, "backoff"): None}))
    assert said == ["langfuse: the lock has 2.2.1 of backoff, and the layer has nothing"]


def test_closure_reports_a_missing_requirement(changed, real):
    said = reported("closure", changed("strands", {metadata_of(real, "six"): None}))
    assert "strands: python-dateutil needs six>=1.5, which is missing" in said


def test_closure_reports_a_version_that_another_distribution_excludes(changed, real):
    path = metadata_of(real, "botocore")
    old = contents(real, path).replace(b"\nVersion: 1.", b"\nVersion: 0.")
    said = reported("closure", changed("strands", {path: old}))
    assert any(line.startswith("strands: boto3 needs botocore<") and " is there" in line for line in said)


def test_closure_reports_a_distribution_for_another_python(changed, real):
    path = metadata_of(real, "six")
    demanding = b"Requires-Python: >=3.14\n" + contents(real, path).replace(b"\nRequires-Python", b"\nWas")
    said = reported("closure", changed("strands", {path: demanding}))
    assert "strands: six needs Python >=3.14, and the function has 3.13.0" in said


def test_closure_reports_what_nothing_needs(changed):
    extra = {"extra-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: extra\nVersion: 1.0\n"}
    assert reported("closure", changed("langfuse", extra)) == ["langfuse: nothing needs extra"]


def test_duplicates_reports_a_path_in_both_layers(changed, real):
    said = reported("duplicates", changed("langfuse", {"six.py": contents(real, "six.py")}))
    assert said == ["strands, langfuse: there is more than one path six.py, equal"]


def test_duplicates_reports_a_distribution_in_both_layers(changed):
    other = {"six-1.16.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: six\nVersion: 1.16.0\n"}
    said = reported("duplicates", changed("langfuse", other))
    assert said == ["strands, langfuse: there is more than one distribution six"]


# record, licences
