"""What integration tests run on: the built layers as Lambda mounts them, and the Python that it runs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import layers
from layers import function_asset, interpreter
from tests.example_agent.source import EXAMPLE_AGENT
from tools.build_layers.layer_tree import unpack
from tools.local.fakes.bedrock_server import FakeBedrock


@pytest.fixture(scope="session")
def opt() -> Path:
    """Both built layers as one: `opt / "python"` is Lambda's /opt/python. Not to be written to."""
    for layer in layers.LAYERS:
        if reason := layers.stale_reason(layer):
            pytest.fail(reason)
    return unpack([layer.zip for layer in layers.LAYERS])


@pytest.fixture(scope="session")
def target_python() -> Path:
    """A CPython of the function's version."""
    return interpreter.target()


@pytest.fixture(scope="session")
def source() -> Path:
    """The asset of the example agent, as it becomes /var/task."""
    return function_asset.assembled(EXAMPLE_AGENT)


@pytest.fixture(scope="session")
def bedrock() -> Iterator[FakeBedrock]:
    """A fake Bedrock."""
    with FakeBedrock() as bedrock:
        yield bedrock
