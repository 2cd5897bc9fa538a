"""Each gate passes the real layers, and stops the smallest change of exactly its kind."""

import dataclasses
import io
import os
import shutil
import struct
from zipfile import ZipFile

import pytest
from tools.build_layers.check import ALONE, GATES, check_layers, check_paths
from tools.build_layers.gates.candidate import Candidate
from tools.build_layers.gates.tree import of_layer, of_path

import layers
from layers.function_asset import assemble
from tests.example_agent.source import EXAMPLE_AGENT
from tools.build_layers import fragment

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the layers' machine code needs Linux")


@pytest.fixture(scope="module")
def real(built):
    """The candidate that would be deployed."""
    return Candidate([of_layer(layer) for layer in built])


@pytest.fixture
def changed(real, tmp_path):
    """Make the candidate with one layer's zip changed: `changed("langfuse", {path: bytes or None})`."""

    def change(name, changes, *, more=()):
        copy = tmp_path / f"{name}.zip"
        trees = {tree.name: tree for tree in real.trees}
        copy.write_bytes(_rezipped(trees[name].path, changes, more))
        known = {key: getattr(trees[name], key) for key in ("name", "pins", "requirements")}
        trees[name] = dataclasses.replace(of_path(copy), **known)
        return dataclasses.replace(real, trees=list(trees.values()), store=tmp_path)

    return change


def _rezipped(source, changes, more):
    """A zip with some of `python/` replaced, added or (None) left out, the rest copied as it is."""
    changes = {f"python/{path}": content for path, content in changes.items()}
    buffer = io.BytesIO()
    with ZipFile(source) as old, ZipFile(buffer, "w") as new:
        for entry in fragment.entries(old, source.read_bytes()):
            if entry.info.filename not in changes:
                fragment.append(new, entry)
        added = [fragment.packed(path, content) for path, content in changes.items() if content is not None]
        for entry in [*added, *more]:
            fragment.append(new, entry)
        fragment.finish(new)
    return buffer.getvalue()


def stopped(gate, candidate):
    """What a gate says of a candidate; of the changed layer only, where it judges each by itself."""
    changed = [tree for tree in candidate.trees if candidate.store in tree.path.parents]
    if gate in ALONE and changed:
        candidate = dataclasses.replace(candidate, trees=changed)
    return list(GATES[gate](candidate))


def find(real, suffix):
    """The layer and the path of the first file that ends so."""
    return next((tree.name, path) for tree in real.trees for path in tree.files if path.endswith(suffix))


def contents(real, path):
    return next(tree.files[path] for tree in real.trees if path in tree.files)


@pytest.mark.parametrize("gate", GATES)
def test_the_real_layers_pass(gate, real):
    assert stopped(gate, real) == []


def metadata_of(real, name):
    return next(
        f"{found.folder}/METADATA"
        for tree in real.trees
        for found in tree.distributions
        if found.name == name
    )


# layout


def test_layout_stops_a_file_outside_python(changed):
    stray = fragment.packed("six.py", b"")
    assert stopped("layout", changed("langfuse", {}, more=[stray])) == ["langfuse: six.py is outside python/"]


def test_layout_stops_a_path_that_is_there_twice(changed, real):
    again = fragment.packed("python/backoff/_jitter.py", contents(real, "backoff/_jitter.py"))
    assert stopped("layout", changed("langfuse", {}, more=[again])) == [
        "langfuse: python/backoff/_jitter.py is in the zip 2 times"
    ]


def test_layout_stops_a_time_of_its_own(changed, real):
    late = fragment.packed("python/backoff/_jitter.py", contents(real, "backoff/_jitter.py"))
    late.info.date_time = (1980, 1, 1, 0, 0, 2)
    said = stopped("layout", changed("langfuse", {"backoff/_jitter.py": None}, more=[late]))
    assert said == [
        "langfuse: python/backoff/_jitter.py bears a time of its own, so no two builds are the same"
    ]


def test_layout_stops_a_file_that_lambda_cannot_read(changed, real):
    private = fragment.packed("python/backoff/_jitter.py", contents(real, "backoff/_jitter.py"))
    private.info.external_attr = 0o100600 << 16
    said = stopped("layout", changed("langfuse", {"backoff/_jitter.py": None}, more=[private]))
    assert said == ["langfuse: python/backoff/_jitter.py has the mode 100600"]


# versions, closure, duplicates


def test_versions_stop_one_version_that_is_not_the_locks(changed, real):
    path = metadata_of(real, "backoff")
    other = contents(real, path).replace(b"\nVersion: 2.", b"\nVersion: 9.")
    said = stopped("versions", changed("langfuse", {path: other}))
    assert said == ["langfuse: of backoff the lock has 2.2.1 and the layer 9.2.1"]


def test_versions_stop_a_missing_distribution(changed, real):
    said = stopped("versions", changed("langfuse", {metadata_of(real, "backoff"): None}))
    assert said == ["langfuse: of backoff the lock has 2.2.1 and the layer nothing"]


def test_closure_stops_a_missing_requirement(changed, real):
    said = stopped("closure", changed("strands", {metadata_of(real, "six"): None}))
    assert "strands: python-dateutil needs six>=1.5, which is missing" in said


def test_closure_stops_a_version_that_another_distribution_refuses(changed, real):
    path = metadata_of(real, "botocore")
    old = contents(real, path).replace(b"\nVersion: 1.", b"\nVersion: 0.")
    said = stopped("closure", changed("strands", {path: old}))
    assert any(line.startswith("strands: boto3 needs botocore<") and " is there" in line for line in said)


def test_closure_stops_a_distribution_for_another_python(changed, real):
    path = metadata_of(real, "six")
    demanding = b"Requires-Python: >=3.14\n" + contents(real, path).replace(b"\nRequires-Python", b"\nWas")
    said = stopped("closure", changed("strands", {path: demanding}))
    assert "strands: six needs Python >=3.14, and the function has 3.13.0" in said


def test_closure_stops_what_nothing_needs(changed):
    extra = {"extra-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: extra\nVersion: 1.0\n"}
    assert stopped("closure", changed("langfuse", extra)) == ["langfuse: nothing needs extra"]


def test_duplicates_stop_a_path_in_both_layers(changed, real):
    said = stopped("duplicates", changed("langfuse", {"six.py": contents(real, "six.py")}))
    assert said == ["strands, langfuse: the path six.py is there more than once"]


def test_duplicates_stop_a_distribution_in_both_layers(changed):
    other = {"six-1.16.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: six\nVersion: 1.16.0\n"}
    said = stopped("duplicates", changed("langfuse", other))
    assert said == ["strands, langfuse: the distribution six is there more than once"]


# record, licences


def test_record_stops_one_changed_byte(changed, real):
    data = bytearray(contents(real, "backoff/_jitter.py"))
    data[-2] ^= 1
    said = stopped("record", changed("langfuse", {"backoff/_jitter.py": bytes(data)}))
    assert said == ["langfuse: backoff/_jitter.py is not the file of its RECORD (its hash differs)"]


def test_record_stops_one_missing_file(changed, real):
    _, path = find(real, "entry_points.txt")
    said = stopped("record", changed(find(real, "entry_points.txt")[0], {path: None}))
    assert len(said) == 1
    assert said[0].endswith(f": {path} is in a RECORD and not in the layer")


def test_record_stops_one_file_that_no_distribution_owns(changed):
    assert stopped("record", changed("langfuse", {"mine.py": b""})) == ["langfuse: mine.py is in no RECORD"]


def test_licences_stop_a_distribution_without_metadata(changed, real):
    path = metadata_of(real, "backoff")
    said = stopped("licences", changed("langfuse", {path: None}))
    assert said == [f"langfuse: {path.removesuffix('/METADATA')} has no METADATA"]


def test_licences_stop_a_distribution_that_names_none(changed, real):
    bare = b"Metadata-Version: 2.1\nName: backoff\nVersion: 2.2.1\n"
    texts = {
        path: None for path in real.trees[1].files if path.startswith("backoff-") and "LICEN" in path.upper()
    }
    said = stopped("licences", changed("langfuse", {metadata_of(real, "backoff"): bare, **texts}))
    assert said == ["langfuse: backoff names no licence and brings no text of one"]


# machine, glibc


def test_machine_stops_an_elf_for_another_processor(changed, real):
    layer, path = find(real, ".so")
    data = bytearray(contents(real, path))
    struct.pack_into("<H", data, 18, 183)  # e_machine: AArch64
    said = stopped("machine", changed(layer, {path: bytes(data)}))
    assert said == [f"{layer}: {path} is EM_AARCH64, not an ELF for x86_64"]


def test_machine_stops_a_binary_of_another_system(changed, real):
    layer, path = find(real, ".so")
    said = stopped("machine", changed(layer, {path: b"\xcf\xfa\xed\xfe" + contents(real, path)[4:]}))
    assert said == [f"{layer}: {path} is of another system, not an ELF for x86_64"]


def test_machine_stops_an_extension_for_another_python(changed, real):
    layer, path = find(real, ".cpython-313-x86_64-linux-gnu.so")
    other = path.replace("cpython-313", "cpython-312")
    said = stopped("machine", changed(layer, {other: contents(real, path)}))
    assert said == [f"{layer}: {other} is an extension for cpython-312, which python3.13 does not load"]


def test_glibc_stops_a_symbol_newer_than_manylinux2014(changed, real):
    for tree in real.trees:
        for path in tree.files:
            if path.endswith(".so") and b"GLIBC_2.17\0" in (data := tree.files[path]):
                newer = data.replace(b"GLIBC_2.17\0", b"GLIBC_2.18\0")
                said = stopped("glibc", changed(tree.name, {path: newer}))
                assert said == [f"{tree.name}: {path} needs GLIBC_2.18, and manylinux2014 stops at 2.17"]
                return
    pytest.fail("no binary to change")


# bytecode

COMPILED = "backoff/__pycache__/_jitter.cpython-313.pyc"


def test_bytecode_stops_a_module_without_it(changed):
    said = stopped("bytecode", changed("langfuse", {COMPILED: None}))
    assert said == ["langfuse: backoff/_jitter.py has no bytecode, so it is compiled at every cold start"]


def test_bytecode_stops_that_of_another_python(changed, real):
    other = struct.pack("<H", 3495) + contents(real, COMPILED)[2:]  # 3.11's magic
    said = stopped("bytecode", changed("langfuse", {COMPILED: other}))
    assert said == ["langfuse: backoff/_jitter.py has bytecode of another Python"]


def test_bytecode_stops_that_which_looks_at_its_source(changed, real):
    checked = contents(real, COMPILED)[:4] + b"\0\0\0\0" + contents(real, COMPILED)[8:]
    said = stopped("bytecode", changed("langfuse", {COMPILED: checked}))
    assert said == [
        "langfuse: backoff/_jitter.py has bytecode that is only used if its source looks unchanged"
    ]


def test_bytecode_stops_what_is_stale(changed, real):
    said = stopped(
        "bytecode", changed("langfuse", {"backoff/_jitter.py": contents(real, "backoff/_jitter.py") + b"\n"})
    )
    assert said == ["langfuse: backoff/_jitter.py has stale bytecode, compiled from another source"]


def test_bytecode_stops_what_names_another_path(changed, real):
    elsewhere = contents(real, COMPILED).replace(
        b"/opt/python/backoff/_jitter.py", b"/tmp/python/backoff/_jitter.py"
    )
    said = stopped("bytecode", changed("langfuse", {COMPILED: elsewhere}))
    assert said == [
        "langfuse: backoff/_jitter.py has bytecode that names another path: /tmp/python/backoff/_jitter.py"
    ]


def test_bytecode_stops_what_no_module_uses(changed, real):
    stray = "backoff/__pycache__/_jitter.cpython-311.pyc"
    said = stopped("bytecode", changed("langfuse", {stray: contents(real, COMPILED)}))
    assert said == [f"langfuse: {stray} is bytecode that no module of this Python uses"]


# clients, size, imports


@pytest.fixture
def handler(tmp_path):
    """A handler that says what it is told to say."""

    def write(text):
        folder = tmp_path / "handler"
        folder.mkdir()
        (folder / "lambda_handler.py").write_text(text)
        return folder

    return write


def slim(real, *services):
    """The candidate as if its first layer kept only these services."""
    first, *rest = real.trees
    return dataclasses.replace(real, trees=[dataclasses.replace(first, services=services), *rest])


@pytest.mark.parametrize("call", ['session().client("sqs")', 'boto3.resource(service_name="sqs")'])
def test_clients_stop_a_call_for_a_service_that_was_cut(real, handler, call):
    code = handler(f"import boto3\n\ndef tool():\n    return {call}\n")
    candidate = dataclasses.replace(slim(real, "bedrock-runtime"), handler=code)
    assert stopped("clients", candidate) == [
        "lambda_handler.py, line 4: sqs was cut from botocore: name it in botocore-services.txt"
    ]
    assert stopped("clients", dataclasses.replace(slim(real, "bedrock-runtime", "sqs"), handler=code)) == []
    assert stopped("clients", dataclasses.replace(real, handler=code)) == []


def test_clients_stop_a_call_that_does_not_name_its_service(real, handler):
    code = handler("import boto3\n\ndef tool(name):\n    return boto3.client(name)\n")
    candidate = dataclasses.replace(slim(real, "bedrock-runtime"), handler=code)
    assert stopped("clients", candidate) == [
        "lambda_handler.py, line 4: the client asked for is not named there: name it, or keep all services"
    ]


def test_clients_stop_what_strands_itself_needs(real, handler):
    code = handler("from strands.session.s3_session_manager import S3SessionManager\n")
    said = stopped("clients", dataclasses.replace(slim(real, "sts"), handler=code))
    assert any(
        line.startswith("strands/models/bedrock.py") and "bedrock-runtime was cut" in line for line in said
    )
    assert any(
        line.startswith("strands/session/s3_session_manager.py") and "s3 was cut" in line for line in said
    )


def test_size_stops_a_zip_that_cannot_be_uploaded(changed):
    info = fragment.described("python/ballast")
    ballast = os.urandom(43 * 1024 * 1024)
    info.CRC, info.file_size, info.compress_size = 0, len(ballast), len(ballast)
    entry = fragment.Entry(info, ballast)
    said = stopped("size", changed("langfuse", {}, more=[entry]))
    assert len(said) == 1
    assert said[0].startswith("langfuse: the zip has ")


def test_size_stops_one_byte_above_what_lambda_unpacks(real, tmp_path):
    code = tmp_path / "code"
    code.mkdir()
    room = 262_144_000 - sum(tree.unzipped for tree in real.trees)
    with (code / "data").open("wb") as sparse:
        sparse.truncate(room)
    assert stopped("size", dataclasses.replace(real, handler=code)) == []
    with (code / "data").open("ab") as sparse:
        sparse.write(b"\0")
    assert stopped("size", dataclasses.replace(real, handler=code)) == [
        "function and layers have 262,144,001 bytes unzipped, and Lambda takes 262,144,000"
    ]


def test_imports_stop_a_missing_module(changed):
    said = stopped("imports", changed("langfuse", {"langfuse/types.py": None}))
    assert "`import langfuse` fails: ModuleNotFoundError: No module named 'langfuse.types'" in said


def test_imports_stop_a_missing_module_that_the_handler_puts_off(changed):
    said = stopped("imports", changed("strands", {"strands/vended_plugins/skills/skill.py": None}))
    (failed,) = (line for line in said if "import *" in line)
    assert failed.startswith("`from strands import *` fails: ModuleNotFoundError")


def test_imports_stop_a_module_that_is_compiled(changed):
    said = stopped("imports", changed("langfuse", {COMPILED: None}))
    assert "backoff/_jitter.py was compiled when it was imported" in said


def test_imports_stop_a_module_that_writes_beside_itself(changed, real):
    writing = contents(real, "backoff/_jitter.py") + b"\nopen(__file__ + '.log', 'w')\n"
    said = stopped("imports", changed("langfuse", {"backoff/_jitter.py": writing, COMPILED: None}))
    assert "backoff/_jitter.py.log was to be written by an import, and /opt is read-only" in said


def test_imports_stop_a_write_by_whatever_path(changed, real):
    """The tree is made of links; whoever resolves them is no freer to write."""
    writing = (
        contents(real, "backoff/_jitter.py") + b"\nimport os\nos.mkdir(os.path.realpath(__file__) + '.d')\n"
    )
    said = stopped("imports", changed("langfuse", {"backoff/_jitter.py": writing, COMPILED: None}))
    assert "backoff/_jitter.py.d was to be written by an import, and /opt is read-only" in said


def test_imports_stop_a_handler_that_needs_what_no_layer_has(real, handler):
    said = stopped("imports", dataclasses.replace(real, handler=handler("import no_such_module\n")))
    assert said == ["`import lambda_handler` fails: ModuleNotFoundError: No module named 'no_such_module'"]


# the whole


def test_a_pass_is_recorded_by_digest_and_a_breach_takes_it_back(built, tmp_path):
    stack = [layers.Layer(layer.name, tmp_path / layer.name) for layer in built]
    for layer, copy in zip(built, stack, strict=True):
        shutil.copytree(layer.directory, copy.directory)
    assert check_layers(stack).passed
    assert [layers.problem(layer, stack) for layer in stack] == [None, None]
    broken = tmp_path / "broken"
    assemble(EXAMPLE_AGENT, broken)
    (broken / "lambda_handler.py").write_text("import no_such_module\n")
    verdict = check_layers(stack, handler=broken, again=False)
    assert [breach.gate for breach in verdict.breaches] == ["imports"]
    assert [layers.problem(layer, stack) for layer in stack] == [
        f"layers/{layer.name} has not passed its checks: run `hatch run check-layers`" for layer in stack
    ]


def test_foreign_zips_and_folders_are_judged_by_the_same_gates(tmp_path):
    """As the measurements ask for them: of a folder that pip filled, of a zip that another tool made."""
    folder = tmp_path / "site"
    (folder / "pkg").mkdir(parents=True)
    (folder / "pkg" / "__init__.py").write_text("x = 1\n")
    zipped = tmp_path / "naive.zip"
    with ZipFile(zipped, "w") as archive:
        archive.mkdir("python/pkg")
        archive.writestr("python/pkg/__init__.py", "x = 1\n")
    for path in (folder, zipped):
        verdict = check_paths([path])
        gates = {breach.gate for breach in verdict.breaches}
        assert {"record", "bytecode", "imports"} <= gates
        assert not verdict.passed
