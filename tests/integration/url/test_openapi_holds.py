"""The served function behaves as its OpenAPI document says."""

import subprocess
import sys

import pytest

pytest.importorskip("schemathesis", reason="schemathesis is in the environment `test`")
EXAMPLES = 60
SCHEMATHESIS = [sys.executable, "-m", "schemathesis.cli"]
CONFIG = """
[phases.coverage]
unexpected-methods = ["DELETE", "PATCH", "PUT"]
"""


# `/invocations` ignores unknown names, as AgentCore's own server does: there, they are no error.
SELECTIONS = {
    "all but invocations": ["--exclude-path", "/invocations"],
    "invocations": ["--include-path", "/invocations", "--exclude-checks", "negative_data_rejection"],
}


@pytest.mark.parametrize("selection", SELECTIONS)
def test_the_function_matches_its_openapi_document(serve, bedrock, tmp_path, selection):
    config = tmp_path / "schemathesis.toml"
    config.write_text(CONFIG)
    with serve(bedrock_url=bedrock.url, streaming=False, environment={"PAGE": "true"}) as served:
        words = [
            *SELECTIONS[selection],
            "--request-timeout",
            "60",
            "--checks",
            "all",
            "--max-examples",
            str(EXAMPLES),
            "--seed",
            "1",
            "--phases",
        ]
        words += ["examples,coverage,fuzzing", "--suppress-health-check", "all", "--no-color"]
        told = subprocess.run(
            [*SCHEMATHESIS, "--config-file", str(config), "run", f"{served.url}openapi.json", *words],
            check=False,
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
    assert told.returncode == 0, told.stdout + told.stderr
