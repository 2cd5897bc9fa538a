"""No test sees the user's own AWS, Langfuse or OpenTelemetry settings."""

import os
from pathlib import Path

import pytest

from tools.command import Failure
from tools.local.cloud import host_check

_PREFIXES = ("AWS_", "LANGFUSE_", "OTEL_", "BEDROCK_", "CDK_")
_KEPT = ("AWS_CA_BUNDLE",)
_UNIT = Path(__file__).parent / "unit"


@pytest.fixture(autouse=True, scope="session")
def _environment_of_a_stranger() -> None:
    for name in [name for name in os.environ if name.startswith(_PREFIXES) and name not in _KEPT]:
        del os.environ[name]
    os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All but unit tests run what the layers hold, and say in one line where that cannot be."""
    if all(item.path.is_relative_to(_UNIT) for item in items):
        return
    try:
        host_check.check()
    except Failure as failure:
        pytest.exit(f"{failure}, and so do the tests in tests/unit", returncode=1)
