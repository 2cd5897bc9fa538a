"""The OpenAPI document of each configuration passes the rules of redocly and spectral."""

import json

import pytest

from tests.third_party import node
from traced_agent.http import openapi
from traced_agent.settings import Settings

CONFIGURATIONS = {
    "default": (Settings(page=True), False),
    "everything": (
        Settings(page=True, streaming=True, session_bucket="bucket", knowledge_base_id="ABCDEFGHIJ"),
        True,
    ),
    "jwt": (Settings(jwt_issuer="https://issuer.example.com", jwt_audience="a", streaming=True), True),
    "iam": (Settings(url_auth="iam"), False),
}
SPECTRAL_RULES = node.FOLDER / "spectral.yaml"
LINTERS = {
    "redocly": ("@redocly/cli/bin/cli.js", "lint", "--extends=recommended", "--format=json"),
    "spectral": (
        "@stoplight/spectral-cli/dist/index.js",
        "lint",
        f"--ruleset={SPECTRAL_RULES}",
        "--format=json",
        "--quiet",
    ),
}


@pytest.fixture(scope="module")
def documents(tmp_path_factory):
    folder = tmp_path_factory.mktemp("documents")
    for name, (settings, feedback) in CONFIGURATIONS.items():
        text = json.dumps(openapi.document(settings, feedback=feedback))
        (folder / f"{name}.json").write_text(text)
    return folder


def lint(linter, folder, *files):
    script, *options = LINTERS[linter]
    return node.run(script, *options, *files, cwd=folder)


@pytest.mark.parametrize("linter", LINTERS)
def test_no_document_has_an_error(linter, documents):
    checked = lint(linter, documents, *(f"{name}.json" for name in CONFIGURATIONS))
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize(("linter", "rule"), [("redocly", "no-unresolved-refs"), ("spectral", "invalid-ref")])
def test_a_document_with_an_error_is_found(linter, rule, documents):
    broken = json.loads((documents / "default.json").read_text())
    broken["paths"]["/"]["post"]["responses"]["200"]["content"]["application/json"]["schema"] = {
        "$ref": "#/components/schemas/Missing"
    }
    (documents / "broken.json").write_text(json.dumps(broken))
    checked = lint(linter, documents, "broken.json")
    assert checked.returncode == 1
    assert rule in checked.stdout
