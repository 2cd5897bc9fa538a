"""The extension with a fake of Lambda's extensions API and a fake export."""

import pytest

from tests.unit.traced_agent.tracing.after_response.extension_api import Exports, Lambda
from traced_agent.settings import Settings
from traced_agent.tracing import after_response


@pytest.fixture
def export():
    return Exports()


@pytest.fixture
def aws():
    lambda_ = Lambda()
    yield lambda_
    lambda_.close()


@pytest.fixture
def started(aws, export):
    """The extension, registered and waiting for its first event."""
    after = after_response.start_after_response(export, Settings(), {"AWS_LAMBDA_RUNTIME_API": aws.api})
    aws.wait_for_ask()
    return after
