"""The checks of clients, size and imports, and whole reports."""

import dataclasses
import json
import os
import re
import shutil
from zipfile import ZipFile

import pytest

import layers
from layers import function_asset
from layers.function_asset import assemble, compile_asset
from tests.example_agent.source import EXAMPLE_AGENT
from tests.integration.layers.candidates import COMPILED, contents, reported
from tools import zip_entries
from tools.build_layers.checks.result import Harmless
from tools.build_layers.checks.run import check_layers, check_paths

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the layers' machine code needs Linux")


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


def test_imports_reports_a_missing_module_that_the_handler_imports_later(changed):
    layers_only = changed("strands", {"strands/vended_plugins/skills/skill.py": None})
    said = reported(
        "imports", dataclasses.replace(layers_only, handler=function_asset.assembled(EXAMPLE_AGENT))
    )
    (failed,) = (line for line in said if "import *" in line)
    assert failed.startswith("`from strands import *` fails: ModuleNotFoundError")


WRITING = b"""
import contextlib, os
with contextlib.suppress(OSError):
    open(__file__ + '.log', 'w')
with contextlib.suppress(OSError):
    os.mkdir(os.path.realpath(__file__) + '.d')
"""
"""The tree consists of links; a resolved path is read-only too."""


def test_imports_reports_a_module_that_is_compiled_and_each_write_to_the_layers(changed, real):
    writing = contents(real, "backoff/_jitter.py") + WRITING
    said = reported("imports", changed("langfuse", {"backoff/_jitter.py": writing, COMPILED: None}))
    assert "backoff/_jitter.py was compiled when it was imported" in said
    for path in ("backoff/_jitter.py.log", "backoff/_jitter.py.d"):
        assert f"{path} was opened for writing by an import, but it is read-only on Lambda" in said


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


def test_a_pass_is_recorded_by_digest_and_removed_by_a_violation(built, tmp_path):
    stack = [layers.Layer(layer.name, tmp_path / layer.name) for layer in built]
    for layer, copy in zip(built, stack, strict=True):
        shutil.copytree(layer.directory, copy.directory)
        unchecked = {**copy.read_manifest(), "passed_alone": None, "checked": None}
        copy.manifest.write_text(json.dumps(unchecked), "utf-8")
    # test_build_commands.py compiles the wheels again, which takes 12 s; this test does not.
    assert check_layers(stack, compiled=[layer.name for layer in stack]).passed
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
