"""Small functions without layers: behind a Function URL, or in a pool of environments."""

import contextlib
import textwrap

import pytest

from tools.local.function_url.server import FunctionUrlServer
from tools.local.runtime import sandbox
from tools.local.runtime.environment_pool import EnvironmentPool
from tools.local.runtime.function import Function


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Returns the URL of a function with this code; the same function is started once."""
    with contextlib.ExitStack() as stack:
        made = {}

        def make(code, client_timeout_s=60.0, **fields):
            key = (code, client_timeout_s, repr(fields))
            if key not in made:
                directory = tmp_path_factory.mktemp("code")
                (directory / "app.py").write_text(textwrap.dedent(code))
                function = Function(code=directory, handler="app.handler", **fields)
                pool = stack.enter_context(EnvironmentPool(function, log=lambda line: None))
                made[key] = stack.enter_context(
                    FunctionUrlServer(pool, client_timeout_s=client_timeout_s)
                ).url
            return made[key]

        yield make


@pytest.fixture
def run(tmp_path):
    """Makes the environments of a function with this code; `lines` holds its log."""
    with contextlib.ExitStack() as stack:

        def make(code, init_limit_s=10.0, bubblewrap=None, **fields):
            directory = tmp_path / str(len(list(tmp_path.iterdir())))
            directory.mkdir()
            (directory / "app.py").write_text(textwrap.dedent(code))
            lines = []
            environments = stack.enter_context(
                EnvironmentPool(
                    Function(code=directory, handler="app.handler", **fields),
                    log=lines.append,
                    init_limit_s=init_limit_s,
                    bubblewrap=bubblewrap,
                )
            )
            environments.lines = lines
            return environments

        yield make


@pytest.fixture(params=["bubblewrap", "plain"])
def boxed(request):
    if request.param == "bubblewrap" and not sandbox.available():
        pytest.skip("bubblewrap is not there")
    return request.param == "bubblewrap"
