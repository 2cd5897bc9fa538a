"""What end-to-end tests ask over HTTP: the stack, deployed to this machine once for all of them."""

import contextlib
import sys

import pytest

from tests.example_agent.control_plane import ExampleControlPlane
from tools.local.cloud.local_cloud import LocalCloud


@pytest.fixture(scope="session")
def bootstrapped():
    """Starts a control plane whose account is bootstrapped."""

    @contextlib.contextmanager
    def start():
        with ExampleControlPlane() as plane:
            plane.bootstrap()
            yield plane

    return start


@pytest.fixture(scope="session")
def cloud(bootstrapped):
    """The default stack with the example agent, deployed and served. Tests share it: leave it unchanged."""
    with bootstrapped() as plane, LocalCloud(control_plane=plane) as deployed:
        yield deployed


@pytest.fixture(scope="session")
def control_plane(bootstrapped):
    """A bootstrapped control plane for the stack's variants, one at a time."""
    with bootstrapped() as plane:
        yield plane


@pytest.fixture
def variant(control_plane):
    """Makes a cloud with this context; it is served until the test ends, then destroyed.

    `cloud = variant({"auth": "iam"})`
    """
    with contextlib.ExitStack() as stack:
        yield lambda context, **more: stack.enter_context(
            LocalCloud(
                context, control_plane=control_plane, log=lambda line: print(line, file=sys.stderr), **more
            )
        )
