"""Tests do not read the user's AWS, Langfuse or OpenTelemetry settings, and share no folder to write to."""

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tools.command import Failure
from tools.local.cloud import host_check

_PREFIXES = ("AWS_", "LANGFUSE_", "OTEL_", "BEDROCK_", "CDK_")
_KEPT = ("AWS_CA_BUNDLE",)
_UNIT = Path(__file__).parent / "unit"
_ONE_PROCESS = ("tests/unit/infra/",)
"""Folders whose files share an expensive start: the CDK with its Node process takes seconds to load."""

# A busy machine takes any time for an example.
settings.register_profile("no time limits", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("no time limits")


@pytest.fixture(autouse=True, scope="session")
def _clean_environment(tmp_path_factory: pytest.TempPathFactory) -> None:
    for name in [name for name in os.environ if name.startswith(_PREFIXES) and name not in _KEPT]:
        del os.environ[name]
    os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    # The CDK CLI's --output, for each pytest process: the CLI locks this folder while it runs.
    os.environ["CDK_OUTPUT"] = str(tmp_path_factory.mktemp("cdk.out"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Stop with one line on a host that cannot run the layers, unless all tests are unit tests.

    Each test that fails runs a second time, and the report lists it under `RERUN`: processes and servers of a
    test wait for each other, and on a busy machine one of them may respond too late.
    """
    for item in items:
        item.add_marker(pytest.mark.flaky(reruns=1))
    if all(item.path.is_relative_to(_UNIT) for item in items):
        return
    try:
        host_check.check()
    except Failure as failure:
        pytest.exit(f"{failure}, and so do the tests in tests/unit", returncode=1)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With `--dist loadfile`, also run the files of certain folders in one process.

    Returns:
        None for another `--dist`: pytest-xdist then uses its own scheduler.
    """
    if config.getoption("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class Scheduler(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            folder = next((folder for folder in _ONE_PROCESS if nodeid.startswith(folder)), None)
            return folder or str(super()._split_scope(nodeid))

    return Scheduler(config, log)
