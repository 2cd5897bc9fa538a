"""No test sees the user's own AWS, Langfuse or OpenTelemetry settings."""

import os

import pytest

_PREFIXES = ("AWS_", "LANGFUSE_", "OTEL_", "BEDROCK_", "CDK_")
_KEPT = ("AWS_CA_BUNDLE",)


@pytest.fixture(autouse=True, scope="session")
def _environment_of_a_stranger() -> None:
    for name in [name for name in os.environ if name.startswith(_PREFIXES) and name not in _KEPT]:
        del os.environ[name]
    os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
