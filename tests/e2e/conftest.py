"""What end-to-end tests ask over HTTP: the stack, deployed to this machine once for all of them."""

import contextlib
import sys

import pytest

from tools.local.cloud.local_cloud import LocalCloud
from tools.local.control_plane.server import ControlPlane


@pytest.fixture(scope="session")
def cloud():
    """The default stack, deployed and served. Leave it as you found it: others ask it too."""
    with LocalCloud() as deployed:
        yield deployed


@pytest.fixture(scope="session")
def control_plane():
    """A bootstrapped control plane for the stack's variants, one at a time."""
    with ControlPlane() as plane:
        plane.bootstrap(plane.synthesize({}))
        yield plane


@pytest.fixture
def variant(control_plane):
    """Makes a cloud with this context; it is served until the test ends, then destroyed.

    `cloud = variant({"auth": "iam"})`
    """
    with contextlib.ExitStack() as stack:
        yield lambda context, **more: stack.enter_context(
            LocalCloud(context, plane=control_plane, log=lambda line: print(line, file=sys.stderr), **more)
        )
