"""Each check passes the real layers, and reports the smallest change of exactly its kind."""

import base64
import dataclasses
import hashlib
import io
import os
import re
import shutil
import struct
from zipfile import ZipFile

import pytest

import layers
from layers import function_asset
from layers.function_asset import assemble, compile_asset
from tests.example_agent.source import EXAMPLE_AGENT
from tools import zip_entries
from tools.build_layers.checks.candidate import Candidate
from tools.build_layers.checks.layer_contents import read_layer, read_path
from tools.build_layers.checks.result import Harmless
from tools.build_layers.checks.run import CHECKS, PER_LAYER, check_layers, check_paths
from tools.zip_entries import read_entries

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the layers' machine code needs Linux")


@pytest.fixture(scope="module")
def real(built):
    """The candidate that would be deployed."""
    return Candidate([read_layer(layer) for layer in built])


@pytest.fixture
def changed(real, tmp_path):
    """Make the candidate with one layer's zip changed: `changed("langfuse", {path: bytes or None})`."""

    def change(name, changes, *, more=()):
        copy = tmp_path / f"{name}.zip"
        trees = {layer.name: layer for layer in real.layers}
        copy.write_bytes(_rezipped(trees[name].path, changes, more))
        known = {key: getattr(trees[name], key) for key in ("name", "source", "pins", "requirements")}
        trees[name] = dataclasses.replace(read_path(copy), **known)
        return dataclasses.replace(real, layers=list(trees.values()), store=tmp_path)

    return change


def _rezipped(source, changes, more):
    """A zip with some of `python/` replaced, added or (None) left out, the rest copied as it is."""
    changes = {f"python/{path}": content for path, content in changes.items()}
    buffer = io.BytesIO()
    with ZipFile(source) as old:
        kept = [entry for entry in read_entries(old, source.read_bytes()) if entry.path not in changes]
    added = [zip_entries.compress(path, content) for path, content in changes.items() if content is not None]
    zip_entries.write_zip(buffer, [*kept, *added, *more])
    return buffer.getvalue()


def reported(check, candidate):
    """What a check reports of a candidate; of the changed layer only, if it checks each by itself."""
    changed = [layer for layer in candidate.layers if candidate.store in layer.path.parents]
    if check in PER_LAYER and changed:
        candidate = dataclasses.replace(candidate, layers=changed)
    return list(CHECKS[check](candidate))


def find(real, suffix):
    """The layer and the path of the first file that ends so."""
    return next((layer.name, path) for layer in real.layers for path in layer.files if path.endswith(suffix))


def contents(real, path):
    return next(layer.files[path] for layer in real.layers if path in layer.files)


@pytest.mark.parametrize("check", CHECKS)
def test_the_real_layers_pass(check, real):
    assert reported(check, real) == []


def metadata_of(real, name):
    return next(
        f"{found.folder}/METADATA"
        for layer in real.layers
        for found in layer.distributions
        if found.name == name
    )


# layout


def test_layout_reports_a_file_outside_python(changed):
    stray = zip_entries.compress("six.py", b"")
    assert reported("layout", changed("langfuse", {}, more=[stray])) == [
        "langfuse: six.py is outside python/"
    ]


def test_layout_reports_a_path_that_is_there_twice(changed, real):
    again = zip_entries.compress("python/backoff/_jitter.py", contents(real, "backoff/_jitter.py"))
    assert reported("layout", changed("langfuse", {}, more=[again])) == [
        "langfuse: python/backoff/_jitter.py is in the zip 2 times"
    ]


def test_layout_reports_a_time_of_its_own(changed, real):
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


def test_versions_reports_one_version_that_is_not_the_locks(changed, real):
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


def test_closure_reports_a_version_that_another_distribution_refuses(changed, real):
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


def test_record_reports_one_changed_byte(changed, real):
    data = bytearray(contents(real, "backoff/_jitter.py"))
    data[-2] ^= 1
    said = reported("record", changed("langfuse", {"backoff/_jitter.py": bytes(data)}))
    assert said == ["langfuse: backoff/_jitter.py is not the file of its RECORD (its hash differs)"]


def test_record_reports_one_missing_file(changed, real):
    _, path = find(real, "entry_points.txt")
    said = reported("record", changed(find(real, "entry_points.txt")[0], {path: None}))
    assert len(said) == 1
    assert said[0].endswith(f": {path} is in a RECORD and not in the layer")


def test_record_reports_one_file_that_no_distribution_owns(changed):
    assert reported("record", changed("langfuse", {"mine.py": b""})) == ["langfuse: mine.py is in no RECORD"]


def test_licences_reports_a_distribution_without_metadata(changed, real):
    path = metadata_of(real, "backoff")
    said = reported("licences", changed("langfuse", {path: None}))
    assert said == [f"langfuse: {path.removesuffix('/METADATA')} has no METADATA"]


def test_licences_reports_a_distribution_that_names_none(changed, real):
    bare = b"Metadata-Version: 2.1\nName: backoff\nVersion: 2.2.1\n"
    texts = {
        path: None for path in real.layers[1].files if path.startswith("backoff-") and "LICEN" in path.upper()
    }
    said = reported("licences", changed("langfuse", {metadata_of(real, "backoff"): bare, **texts}))
    assert said == ["langfuse: backoff names no licence and contains no text of one"]


# machine, glibc


def test_machine_reports_an_elf_for_another_processor(changed, real):
    layer, path = find(real, ".so")
    data = bytearray(contents(real, path))
    struct.pack_into("<H", data, 18, 183)  # e_machine: AArch64
    said = reported("machine", changed(layer, {path: bytes(data)}))
    assert said == [f"{layer}: {path} is EM_AARCH64, not an ELF for x86_64"]


def test_machine_reports_a_binary_of_another_system(changed, real):
    layer, path = find(real, ".so")
    said = reported("machine", changed(layer, {path: b"\xcf\xfa\xed\xfe" + contents(real, path)[4:]}))
    assert said == [f"{layer}: {path} is of another system, not an ELF for x86_64"]


def test_machine_reports_an_extension_for_another_python(changed, real):
    layer, path = find(real, ".cpython-313-x86_64-linux-gnu.so")
    other = path.replace("cpython-313", "cpython-312")
    said = reported("machine", changed(layer, {other: contents(real, path)}))
    assert said == [f"{layer}: {other} is an extension for cpython-312, which python3.13 does not load"]


def test_glibc_reports_a_symbol_newer_than_manylinux2014(changed, real):
    for layer in real.layers:
        for path in layer.files:
            if path.endswith(".so") and b"GLIBC_2.17\0" in (data := layer.files[path]):
                newer = data.replace(b"GLIBC_2.17\0", b"GLIBC_2.18\0")
                said = reported("glibc", changed(layer.name, {path: newer}))
                assert said == [f"{layer.name}: {path} needs GLIBC_2.18, and manylinux2014 allows 2.17"]
                return
    pytest.fail("no binary to change")


# bytecode

COMPILED = "backoff/__pycache__/_jitter.cpython-313.pyc"


def test_bytecode_reports_a_module_without_it(changed):
    said = reported("bytecode", changed("langfuse", {COMPILED: None}))
    assert said == ["langfuse: backoff/_jitter.py has no bytecode, so it is compiled at every cold start"]


def test_bytecode_reports_that_of_another_python(changed, real):
    other = struct.pack("<H", 3495) + contents(real, COMPILED)[2:]  # 3.11's magic
    said = reported("bytecode", changed("langfuse", {COMPILED: other}))
    assert said == ["langfuse: backoff/_jitter.py has bytecode of another Python"]


def test_bytecode_reports_that_which_looks_at_its_source(changed, real):
    checked = contents(real, COMPILED)[:4] + b"\0\0\0\0" + contents(real, COMPILED)[8:]
    said = reported("bytecode", changed("langfuse", {COMPILED: checked}))
    assert said == [
        "langfuse: backoff/_jitter.py has bytecode that is only used if its source looks unchanged"
    ]


def test_bytecode_reports_what_is_stale(changed, real):
    said = reported(
        "bytecode", changed("langfuse", {"backoff/_jitter.py": contents(real, "backoff/_jitter.py") + b"\n"})
    )
    assert said == ["langfuse: backoff/_jitter.py has stale bytecode, compiled from another source"]


def test_bytecode_reports_what_names_another_path(changed, real):
    elsewhere = contents(real, COMPILED).replace(
        b"/opt/python/backoff/_jitter.py", b"/tmp/python/backoff/_jitter.py"
    )
    said = reported("bytecode", changed("langfuse", {COMPILED: elsewhere}))
    assert said == [
        "langfuse: backoff/_jitter.py has bytecode that names another path: /tmp/python/backoff/_jitter.py"
    ]


def test_bytecode_reports_what_no_module_uses(changed, real):
    stray = "backoff/__pycache__/_jitter.cpython-311.pyc"
    said = reported("bytecode", changed("langfuse", {stray: contents(real, COMPILED)}))
    assert said == [f"langfuse: {stray} is bytecode that no module of this Python uses"]


# clients, size, imports


@pytest.fixture
def handler(tmp_path):
    """Makes an asset of one module."""

    def write(text):
        folder = tmp_path / "handler"
        folder.mkdir()
        (folder / "lambda_handler.py").write_text(text)
        compile_asset(folder)
        return folder

    return write


def slim(real, *services):
    """The candidate as if its first layer kept only these services."""
    first, *rest = real.layers
    return dataclasses.replace(real, layers=[dataclasses.replace(first, services=services), *rest])


@pytest.mark.parametrize("call", ['session().client("sqs")', 'boto3.resource(service_name="sqs")'])
def test_clients_reports_a_call_for_a_service_that_was_cut(real, handler, call):
    code = handler(f"import boto3\n\ndef tool():\n    return {call}\n")
    candidate = dataclasses.replace(slim(real, "bedrock-runtime"), handler=code)
    assert reported("clients", candidate) == [
        "lambda_handler.py, line 4: sqs was left out of botocore: add it to botocore-services.txt"
    ]
    assert reported("clients", dataclasses.replace(slim(real, "bedrock-runtime", "sqs"), handler=code)) == []
    assert reported("clients", dataclasses.replace(real, handler=code)) == []


def test_clients_reports_a_call_that_does_not_name_its_service(real, handler):
    code = handler("import boto3\n\ndef tool(name):\n    return boto3.client(name)\n")
    candidate = dataclasses.replace(slim(real, "bedrock-runtime"), handler=code)
    assert reported("clients", candidate) == [
        "lambda_handler.py, line 4: the client's service is not a literal: write one, or keep all services"
    ]


def test_clients_reports_what_strands_itself_needs(real, handler):
    code = handler("from strands.session.s3_session_manager import S3SessionManager\n")
    said = reported("clients", dataclasses.replace(slim(real, "sts"), handler=code))
    assert any(
        line.startswith("strands/models/bedrock.py") and "bedrock-runtime was left out" in line
        for line in said
    )
    assert any(
        line.startswith("strands/session/s3_session_manager.py") and "s3 was left out" in line
        for line in said
    )


def test_size_accepts_a_zip_that_is_too_large_for_a_direct_upload(changed):
    info = zip_entries.describe("python/ballast")
    ballast = os.urandom(43 * 1024 * 1024)
    info.CRC, info.file_size, info.compress_size = 0, len(ballast), len(ballast)
    entry = zip_entries.Entry(info, ballast)
    candidate = changed("langfuse", {}, more=[entry])
    assert candidate.layers[1].path.stat().st_size > 50 * 1024 * 1024
    assert reported("size", candidate) == []


def test_size_reports_one_byte_above_what_lambda_unpacks(real, tmp_path):
    code = tmp_path / "code"
    code.mkdir()
    room = 262_144_000 - sum(layer.unzipped for layer in real.layers)
    with (code / "data").open("wb") as sparse:
        sparse.truncate(room)
    (warning,) = reported("size", dataclasses.replace(real, handler=code))
    assert isinstance(warning, Harmless)
    assert warning == "function and layers have 262,144,000 bytes unzipped, 100% of the limit"
    with (code / "data").open("ab") as sparse:
        sparse.write(b"\0")
    (found,) = reported("size", dataclasses.replace(real, handler=code))
    assert not isinstance(found, Harmless)
    assert found.startswith(
        "function and layers have 262,144,001 bytes unzipped, and Lambda's limit is 262,144,000:"
    )
    assert re.search(
        r"the largest distributions are botocore \(\d+\.\d MB\)(, [\w-]+ \(\d+\.\d MB\)){4}; ", found
    )
    assert "botocore-services.txt" in found


def test_imports_reports_a_missing_module(changed):
    said = reported("imports", changed("langfuse", {"langfuse/types.py": None}))
    assert "`import langfuse` fails: ModuleNotFoundError: No module named 'langfuse.types'" in said


def test_imports_reports_a_missing_module_that_the_handler_puts_off(changed):
    layers_only = changed("strands", {"strands/vended_plugins/skills/skill.py": None})
    said = reported(
        "imports", dataclasses.replace(layers_only, handler=function_asset.assembled(EXAMPLE_AGENT))
    )
    (failed,) = (line for line in said if "import *" in line)
    assert failed.startswith("`from strands import *` fails: ModuleNotFoundError")


def test_imports_reports_a_module_that_is_compiled(changed):
    said = reported("imports", changed("langfuse", {COMPILED: None}))
    assert "backoff/_jitter.py was compiled when it was imported" in said


@pytest.mark.parametrize(
    "code",
    [
        "from strands.tools.mcp import MCPClient\n",
        "import anyio\n",
        "import ast, strands\nast.parse(open(strands.__file__).read(), strands.__file__)\n",
    ],
)
def test_imports_accepts_packages_that_compile_source_of_their_own(real, handler, code):
    assert reported("imports", dataclasses.replace(real, handler=handler(code))) == []


def test_imports_reports_a_module_that_writes_beside_itself(changed, real):
    writing = contents(real, "backoff/_jitter.py") + b"\nopen(__file__ + '.log', 'w')\n"
    said = reported("imports", changed("langfuse", {"backoff/_jitter.py": writing, COMPILED: None}))
    assert "backoff/_jitter.py.log was opened for writing by an import, but it is read-only on Lambda" in said


def test_imports_reports_a_write_by_whatever_path(changed, real):
    """The tree consists of links; a resolved path is read-only too."""
    writing = (
        contents(real, "backoff/_jitter.py") + b"\nimport os\nos.mkdir(os.path.realpath(__file__) + '.d')\n"
    )
    said = reported("imports", changed("langfuse", {"backoff/_jitter.py": writing, COMPILED: None}))
    assert "backoff/_jitter.py.d was opened for writing by an import, but it is read-only on Lambda" in said


def test_imports_reports_a_handler_that_needs_what_no_layer_has(real, handler):
    said = reported("imports", dataclasses.replace(real, handler=handler("import no_such_module\n")))
    assert said == ["`import lambda_handler` fails: ModuleNotFoundError: No module named 'no_such_module'"]


def test_imports_reports_a_module_of_the_asset_that_is_compiled_again(real, handler):
    code = handler("x = 1\n")
    shutil.rmtree(code / "__pycache__")
    assert reported("imports", dataclasses.replace(real, handler=code)) == [
        "lambda_handler.py was compiled when it was imported"
    ]


# the whole


def test_a_pass_is_recorded_by_digest_and_a_violation_takes_it_back(built, tmp_path):
    stack = [layers.Layer(layer.name, tmp_path / layer.name) for layer in built]
    for layer, copy in zip(built, stack, strict=True):
        shutil.copytree(layer.directory, copy.directory)
    assert check_layers(stack).passed
    assert [layers.undeployable_reason(layer, stack) for layer in stack] == [None, None]
    broken = tmp_path / "broken"
    assemble(EXAMPLE_AGENT, broken)
    (broken / "lambda_handler.py").write_text("import no_such_module\n")
    compile_asset(broken)
    report = check_layers(stack, handler=broken, again=False)
    assert [violation.check for violation in report.violations] == ["imports"]
    assert [layers.undeployable_reason(layer, stack) for layer in stack] == [
        f"layers/{layer.name} has not passed its checks: run `hatch run check-layers`" for layer in stack
    ]


def test_zips_and_folders_of_other_tools_are_checked_too(tmp_path):
    """As the measurements ask for them: of a folder that pip filled, of a zip that another tool made."""
    folder = tmp_path / "site"
    (folder / "pkg").mkdir(parents=True)
    (folder / "pkg" / "__init__.py").write_text("x = 1\n")
    zipped = tmp_path / "naive.zip"
    with ZipFile(zipped, "w") as archive:
        archive.mkdir("python/pkg")
        archive.writestr("python/pkg/__init__.py", "x = 1\n")
    for path in (folder, zipped):
        report = check_paths([path])
        checks = {violation.check for violation in report.violations}
        assert {"record", "bytecode", "imports"} <= checks
        assert not report.passed
