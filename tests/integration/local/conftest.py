"""Functions of a few lines behind a Function URL, without layers."""

import contextlib
import textwrap

import pytest

from tools.local.function_url.server import FunctionUrlServer
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
